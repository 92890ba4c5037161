use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::course::{Answer, Course, Fault, span};
use crate::driver::exit::plain;
use crate::driver::probes::is_there;

/// Looks for a file.
pub async fn ask(
    course: &mut Course<'_>,
    path: &str,
    present_is_up: bool,
) -> Result<Answer, Fault> {
    let disk = course.shared.disk.clone();
    let looked = path.to_owned();
    let look = async {
        // Held until the disk has answered, even if that is too late for us.
        let disk = disk.lock_owned().await;
        let look = spawn_blocking(move || {
            let _disk = disk;
            is_there(&looked)
        });
        look.await.map_err(|_| Fault::NotAsked("the daemon ends".to_owned()))?.map_err(|error| {
            Fault::NotAsked(format!("{path} cannot be looked for: {}", plain(&error)))
        })
    };
    let limit = span(course.settings.timeout);
    let there = match timeout_at(course.deadline(), look).await {
        Ok(result) => result?,
        Err(_) => {
            let text = format!("the disk does not tell within {limit} whether {path} is there");
            return Err(Fault::NotAsked(text));
        }
    };
    let text = format!("{path} is {}", if there { "there" } else { "not there" });
    if there == present_is_up { Ok(text.into()) } else { Err(Fault::Failed(text)) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::super::testing::{failed, not_asked, settings, well};
    use super::super::{Shared, make};
    use crate::health::{Method, Settings};

    fn file(path: &str, present_is_up: bool) -> Settings {
        settings(Method::File { path: path.to_owned(), present_is_up })
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_well_or_not_as_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("maintenance").display().to_string();
        assert_eq!(well(&file(&path, false)).await, format!("{path} is not there"));
        assert_eq!(failed(&file(&path, true)).await, format!("{path} is not there"));
        fs::write(&path, "").unwrap();
        assert_eq!(well(&file(&path, true)).await, format!("{path} is there"));
        assert_eq!(failed(&file(&path, false)).await, format!("{path} is there"));
    }

    #[tokio::test]
    async fn what_cannot_be_looked_for_is_not_known() {
        let path = format!("/tmp/{}", "x".repeat(300));
        let text = not_asked(&file(&path, false)).await;
        assert_eq!(text, format!("{path} cannot be looked for: file name too long"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_takes_one_thread() {
        let shared = Shared::default();
        let hanging = shared.disk.clone().lock_owned().await;
        let mut settings = file("/etc/passwd", true);
        settings.timeout = Duration::from_secs(2);
        let text = "the disk does not tell within 2 s whether /etc/passwd is there";
        for _ in 0..3 {
            let (outcome, _) = make(&settings, &shared).await;
            assert_eq!(outcome, crate::health::Outcome::NotAsked(text.to_owned()));
        }
        drop(hanging);
        assert!(matches!(
            make(&settings, &shared).await.0,
            crate::health::Outcome::Answered { .. }
        ));
    }
}
