use std::ops::Range;

use super::{Mistake, Place};

/// Collects the mistakes of one text.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    mistakes: Vec<Mistake>,
}

/// A mistake that was just reported, to be filled in.
pub(super) struct Draft<'r, 't> {
    file: &'t str,
    text: &'t str,
    mistake: &'r mut Mistake,
}

impl<'t> Report<'t> {
    pub fn new(file: &'t str, text: &'t str) -> Report<'t> {
        Report { file, text, mistakes: Vec::new() }
    }

    /// Reports a mistake at `span`.
    pub fn at(&mut self, span: Range<usize>, message: impl Into<String>) -> Draft<'_, 't> {
        let index = self.mistakes.len();
        self.mistakes.push(Mistake {
            place: Place::new(self.file, self.text, span),
            message: message.into(),
            label: String::new(),
            related: None,
            help: None,
        });
        Draft { file: self.file, text: self.text, mistake: &mut self.mistakes[index] }
    }

    /// In the order of the text.
    pub fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| mistake.place.span);
        self.mistakes
    }
}

impl Draft<'_, '_> {
    pub fn label(self, label: impl Into<String>) -> Self {
        self.mistake.label = label.into();
        self
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        self.mistake.help = Some(help.into());
        self
    }

    /// `did you mean …?` if there is something that could have been meant.
    pub fn did_you_mean(self, meant: Option<&str>) -> Self {
        match meant {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self,
        }
    }

    /// Also points at `span`.
    pub fn related(self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.mistake.related = Some((Place::new(self.file, self.text, span), label.into()));
        self
    }
}
