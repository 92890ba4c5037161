use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// One fault of a configuration: what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// Stands at the marked text; may be empty.
    pub label: String,
    /// The other place that has to do with it: where a duplicate stands first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<(Place, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A stretch of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The name of the file as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes.
    #[serde(skip)]
    pub span: (usize, usize),
}

impl Mistake {
    /// As a compiler shows an error: the sentence, `file:line:column`, the line with the text
    /// marked, and the help. `text` is the text that was parsed; `styled` adds colours.
    pub fn render(&self, text: &str, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut snippet = Snippet::source(text)
            .path(self.place.file.as_str())
            .annotation(AnnotationKind::Primary.span(self.place.within(text)).label(&self.label));
        if let Some((place, label)) = &self.related {
            let span = place.within(text);
            snippet = snippet.annotation(AnnotationKind::Context.span(span).label(label));
        }
        let mut report = Level::ERROR.primary_title(&self.message).element(snippet);
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help));
        }
        renderer.render(&[report])
    }
}

impl Place {
    pub(super) fn new(file: &str, text: &str, span: Range<usize>) -> Place {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
            span: (span.start, span.end),
        }
    }

    /// The span, if it is one of `text`: a caller may have another version of the file.
    fn within(&self, text: &str) -> Range<usize> {
        let (start, end) = self.span;
        if text.get(start..end).is_some() { start..end } else { 0..0 }
    }
}
