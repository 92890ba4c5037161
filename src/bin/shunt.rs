//! The operator's command. See `shunt::cli`.

fn main() -> std::process::ExitCode {
    shunt::cli::run()
}
