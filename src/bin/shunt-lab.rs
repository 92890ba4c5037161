//! Networks of namespaces to see shunt at work. See `shunt::lab`.

fn main() -> std::process::ExitCode {
    shunt::lab::run()
}
