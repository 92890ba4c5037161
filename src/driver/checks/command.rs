use super::course::{Answer, Course, Fault, shown};
use crate::driver::commands::{self, Kind};
use crate::health::Method;

/// Runs a command to its end.
pub async fn ask(course: &mut Course<'_>, words: &[String]) -> Result<Answer, Fault> {
    let keeper = course.shared.keeper.clone();
    let kind = Kind::Check { most_output: Method::MOST_OCTETS, keeper };
    let within = course.settings.timeout;
    match commands::run(words, &[], within, &kind, &course.shared.disk).await {
        Ok(output) => {
            for line in output.lines() {
                course.note(format_args!("wrote {}", shown(line.as_bytes())));
            }
            Ok(match output.lines().last() {
                Some(line) => shown(line.as_bytes()),
                None => "exit code 0".to_owned(),
            }
            .into())
        }
        Err(failure) if failure.started => Err(Fault::Failed(failure.text)),
        Err(failure) => Err(Fault::NotAsked(failure.text)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{failed, not_asked, run, settings, well};
    use super::*;
    use crate::health::{Outcome, Settings};

    fn sh(script: &str) -> Settings {
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        settings(Method::Command { words })
    }

    #[tokio::test]
    async fn exit_code_0_is_well() {
        assert_eq!(well(&sh("")).await, "exit code 0");
        let (outcome, steps) = run(&sh("echo one; echo two")).await;
        assert!(matches!(&outcome, Outcome::Answered { text, .. } if text == "\"two\""));
        assert_eq!(steps[..2], ["wrote \"one\"", "wrote \"two\""]);
        let text = failed(&sh("echo no database; exit 2")).await;
        let wanted = "`/bin/sh -c echo no database; exit 2` ended with exit code 2: no database";
        assert_eq!(text, wanted);
    }

    #[tokio::test]
    async fn a_command_that_cannot_be_started_says_nothing_of_the_service() {
        let words = vec!["/nowhere/ask".to_owned()];
        let text = not_asked(&settings(Method::Command { words })).await;
        assert_eq!(text, "`/nowhere/ask` does not start: no such file or directory");
        let words = vec!["/etc/passwd".to_owned()];
        let text = not_asked(&settings(Method::Command { words })).await;
        assert_eq!(text, "`/etc/passwd` does not start: permission denied");
    }

    #[tokio::test]
    async fn one_that_is_deaf_or_writes_without_end_is_killed() {
        let settings =
            Settings { timeout: Duration::from_millis(500), ..sh("trap '' TERM; sleep 1000") };
        let text = failed(&settings).await;
        assert!(text.ends_with(" was killed, as it was not done within 0.5 s"), "{text}");
        let text = failed(&sh("yes")).await;
        assert_eq!(text, "`/bin/sh -c yes` was killed, as it wrote more than 65536 octets: y");
    }
}
