//! `tsmigrate lsp`: a language server. Findings are diagnostics of a file, fixes are code actions, a rule is what one sees over a
//! finding.

use std::collections::HashMap;
use std::fmt::Write as _;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{CodeActionRequest, HoverRequest, Request as _};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOptions, CodeActionOrCommand, CodeActionParams,
    CodeActionProviderCapability, CodeDescription, Diagnostic, DiagnosticRelatedInformation,
    DiagnosticSeverity, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    Hover, HoverContents, HoverParams, HoverProviderCapability, Location, MarkupContent, MarkupKind,
    NumberOrString, Position, PublishDiagnosticsParams, Range, ServerCapabilities,
    TextDocumentSyncCapability, TextDocumentSyncKind, Uri, WorkspaceEdit,
};
use serde::de::DeserializeOwned;
use tsmigrate_analyzer::rewrite::of_one;
use tsmigrate_analyzer::{
    Analysis, Finding, Input, Options, Rewriter, Safety, Severity, Style, Target, analyze,
};

use super::analysed::{Analysed, Setup};
use super::failure::{Failure, Status, words};
use super::lsp_text::Lines;

/// Options of `lsp`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    analysed: Analysed,
}

/// Files larger than this are not looked at while somebody types: `tsmigrate check` does.
const LARGEST: usize = 4 << 20;

/// Runs the command, until the editor ends it.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let Setup { target, options, .. } = args.analysed.setup()?;
    let (connection, threads) = Connection::stdio();
    let capabilities = serde_json::to_value(capabilities())
        .map_err(|error| Failure::new(format!("the capabilities cannot be written: {error}")))?;
    connection.initialize(capabilities).map_err(|error| broken(&error))?;
    let mut server = Server { connection, target, options, files: HashMap::new() };
    let ended = server.serve();
    drop(server);
    threads
        .join()
        .map_err(|error| Failure::new(format!("the editor cannot be reached: {}", words(&error))))?;
    ended.map(|()| Status::Clean)
}

fn broken(error: &lsp_server::ProtocolError) -> Failure {
    Failure::new(format!("the editor does not speak as a client of a language server does: {error}"))
        .next("start it from an editor: tsmigrate lsp is not for a terminal")
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    }
}

/// A file that is open, as it was last analysed.
struct Open {
    text: String,
    /// It has changed since.
    is_stale: bool,
    analysis: Option<Analysis>,
}

struct Server {
    connection: Connection,
    target: Target,
    options: Options,
    files: HashMap<Uri, Open>,
}

impl Server {
    fn serve(&mut self) -> Result<(), Failure> {
        loop {
            // While somebody types, only what stands there at last is looked at.
            if self.connection.receiver.is_empty() {
                self.look();
            }
            let Ok(message) = self.connection.receiver.recv() else { return Ok(()) };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request).map_err(|error| broken(&error))? {
                        return Ok(());
                    }
                    let response = self.answer(request);
                    self.send(Message::Response(response));
                }
                Message::Notification(notification) => self.note(notification),
                Message::Response(_) => {}
            }
        }
    }

    /// An editor that has gone is no failure: the next message is the last.
    fn send(&self, message: Message) {
        let _ = self.connection.sender.send(message);
    }

    fn note(&mut self, notification: Notification) {
        match notification.method.as_str() {
            DidOpenTextDocument::METHOD => {
                if let Some(DidOpenTextDocumentParams { text_document }) = read(notification.params) {
                    self.keep(text_document.uri, text_document.text);
                }
            }
            DidChangeTextDocument::METHOD => {
                let Some(DidChangeTextDocumentParams { text_document, content_changes }) =
                    read(notification.params)
                else {
                    return;
                };
                // The whole text each time, as was agreed.
                if let Some(change) = content_changes.into_iter().next_back() {
                    self.keep(text_document.uri, change.text);
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Some(DidCloseTextDocumentParams { text_document }) = read(notification.params) {
                    self.files.remove(&text_document.uri);
                    self.publish(text_document.uri, Vec::new());
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, uri: Uri, text: String) {
        self.files.insert(uri, Open { text, is_stale: true, analysis: None });
    }

    /// Analyses what has changed, and says what is found.
    fn look(&mut self) {
        let mut said = Vec::new();
        for (uri, file) in self.files.iter_mut().filter(|(_, file)| file.is_stale) {
            file.is_stale = false;
            if file.text.len() > LARGEST {
                said.push((
                    uri.clone(),
                    vec![not_judged("the file is too large for an editor: tsmigrate check judges it")],
                ));
                continue;
            }
            let (analysis, found) = look_at(uri, &file.text, &self.target, &self.options);
            file.analysis = analysis;
            said.push((uri.clone(), found));
        }
        for (uri, found) in said {
            self.publish(uri, found);
        }
    }

    fn publish(&self, uri: Uri, diagnostics: Vec<Diagnostic>) {
        let params = PublishDiagnosticsParams { uri, diagnostics, version: None };
        self.send(Message::Notification(Notification::new(PublishDiagnostics::METHOD.to_owned(), params)));
    }

    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        // What is asked is asked of the text as it is now.
        self.look();
        match method.as_str() {
            HoverRequest::METHOD => match read(params) {
                Some(params) => Response::new_ok(id, self.hover(&params)),
                None => Response::new_err(id, ErrorCode::InvalidParams as i32, "no place".to_owned()),
            },
            CodeActionRequest::METHOD => match read(params) {
                Some(params) => Response::new_ok(id, self.actions(&params)),
                None => Response::new_err(id, ErrorCode::InvalidParams as i32, "no range".to_owned()),
            },
            _ => Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("{method} is not offered")),
        }
    }

    /// The findings of a file that touch a range, with the text.
    fn findings(&self, uri: &Uri, range: Range) -> Option<(&str, &Analysis, Vec<&Finding>)> {
        let file = self.files.get(uri)?;
        let analysis = file.analysis.as_ref()?;
        let lines = Lines::new(&file.text);
        let touches = |finding: &&Finding| {
            let at = at(&lines, finding);
            at.start <= range.end && range.start <= at.end
        };
        Some((&file.text, analysis, analysis.findings.iter().filter(touches).collect()))
    }

    fn hover(&self, params: &HoverParams) -> Option<Hover> {
        let place = &params.text_document_position_params;
        let here = Range::new(place.position, place.position);
        let (text, _, findings) = self.findings(&place.text_document.uri, here)?;
        let first = findings.first()?;
        let mut value = String::new();
        for finding in &findings {
            if !value.is_empty() {
                value.push_str("\n\n---\n\n");
            }
            page(&mut value, finding);
        }
        let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
        Some(Hover { contents, range: Some(at(&Lines::new(text), first)) })
    }

    fn actions(&self, params: &CodeActionParams) -> Vec<CodeActionOrCommand> {
        let uri = &params.text_document.uri;
        let Some((text, analysis, findings)) = self.findings(uri, params.range) else { return Vec::new() };
        let wants = |kind: &CodeActionKind| {
            let only = params.context.only.as_ref();
            only.is_none_or(|only| only.iter().any(|wanted| kind.as_str().starts_with(wanted.as_str())))
        };
        let mut actions = Vec::new();
        for finding in findings.into_iter().filter(|_| wants(&CodeActionKind::QUICKFIX)) {
            let Some(fix) = &finding.fix else { continue };
            // What loses something says so.
            let lost = fix.lost.as_ref().map(|lost| format!(" (lost: {lost})")).unwrap_or_default();
            let title = format!("{}{lost} [{}]", fix.title, finding.rule.id);
            let is_preferred = Some(fix.safety == Safety::Safe);
            actions.extend(action(
                uri,
                text,
                title,
                &of_one(finding),
                CodeActionKind::QUICKFIX,
                is_preferred,
            ));
        }
        if wants(&CodeActionKind::SOURCE_FIX_ALL)
            && let Some(input) = analysis.inputs.first()
        {
            let title = "Rewrite the file for the service".to_owned();
            actions.extend(action(uri, text, title, &input.planned, CodeActionKind::SOURCE_FIX_ALL, None));
        }
        actions
    }
}

/// What is found in a text. Somebody may be writing its last statement: what stands before it is looked at.
fn look_at(uri: &Uri, text: &str, target: &Target, options: &Options) -> (Option<Analysis>, Vec<Diagnostic>) {
    let lines = Lines::new(text);
    let (mut end, mut unfinished) = (text.len(), None);
    loop {
        let before = text.get(..end).unwrap_or_default();
        let inputs = [Input { name: uri.path().as_str(), text: before.as_bytes() }];
        let problem = match analyze(&inputs, target, options) {
            Ok(analysis) => {
                let mut found = diagnostics(uri, text, &analysis);
                found.extend(unfinished);
                return (Some(analysis), found);
            }
            Err(error) => error.problem,
        };
        match problem.line().and_then(|line| lines.start(line)).filter(|start| *start < end) {
            Some(start) => {
                let range = lines.range(start, text.trim_end().len());
                unfinished =
                    Some(Diagnostic { range, ..not_judged("this has no end yet: it is not judged") });
                end = start;
            }
            None if unfinished.is_some() => return (None, Vec::from_iter(unfinished)),
            None => return (None, vec![not_judged(&problem.to_string())]),
        }
    }
}

fn read<T: DeserializeOwned>(params: serde_json::Value) -> Option<T> {
    serde_json::from_value(params).ok()
}

/// A change of the file; none where nothing would change.
fn action(
    uri: &Uri,
    text: &str,
    title: String,
    planned: &[tsmigrate_analyzer::rewrite::Planned],
    kind: CodeActionKind,
    is_preferred: Option<bool>,
) -> Option<CodeActionOrCommand> {
    let mut rewriter = Rewriter::new(planned, Style::Comment);
    let mut new = Vec::with_capacity(text.len());
    rewriter.feed(text.as_bytes(), &mut new);
    rewriter.finish(&mut new);
    let edit = Lines::new(text).edit(&String::from_utf8(new).ok()?)?;
    #[expect(clippy::mutable_key_type, reason = "an address of a file, which nobody changes")]
    let changes = HashMap::from([(uri.clone(), vec![edit])]);
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title,
        kind: Some(kind),
        is_preferred,
        edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
        ..CodeAction::default()
    }))
}

fn at(lines: &Lines<'_>, finding: &Finding) -> Range {
    let byte = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    lines.range(byte(finding.place.span.start), byte(finding.place.span.end))
}

fn diagnostics(uri: &Uri, text: &str, analysis: &Analysis) -> Vec<Diagnostic> {
    let lines = Lines::new(text);
    let is_here = |finding: &&Finding| finding.allowed.is_none();
    analysis.findings.iter().filter(is_here).map(|finding| diagnostic(uri, &lines, finding)).collect()
}

fn diagnostic(uri: &Uri, lines: &Lines<'_>, finding: &Finding) -> Diagnostic {
    let mut message = finding.message.to_string();
    if let Some(error) = &finding.server_error {
        let _ = write!(message, "\nserver: {} {}", error.sqlstate, error.text);
    }
    let byte = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let related = finding.related.iter().map(|related| DiagnosticRelatedInformation {
        location: Location::new(
            uri.clone(),
            lines.range(byte(related.place.span.start), byte(related.place.span.end)),
        ),
        message: related.message.to_string(),
    });
    Diagnostic {
        range: at(lines, finding),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Note => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.rule.id.to_owned())),
        code_description: finding.rule.link().parse().ok().map(|href| CodeDescription { href }),
        source: Some("tsmigrate".to_owned()),
        message,
        related_information: Some(related.collect()),
        ..Diagnostic::default()
    }
}

/// What is said of a file as a whole.
fn not_judged(why: &str) -> Diagnostic {
    Diagnostic {
        range: Range::new(Position::new(0, 0), Position::new(0, 0)),
        severity: Some(DiagnosticSeverity::WARNING),
        source: Some("tsmigrate".to_owned()),
        message: why.to_owned(),
        ..Diagnostic::default()
    }
}

/// What a rule says, in Markdown.
fn page(out: &mut String, finding: &Finding) {
    let doc = &finding.rule.doc;
    let _ =
        write!(out, "**{}** {}\n\n{}\n\n{}", finding.rule.id, finding.rule.name, finding.message, doc.why);
    let advice = finding.advice.as_deref().unwrap_or(doc.help);
    let _ = write!(out, "\n\n{advice}");
    if let Some(error) = &finding.server_error {
        let _ = write!(out, "\n\n`{} {}`", error.sqlstate, error.text.replace('`', "'"));
    }
    let page = finding.rule.page();
    for link in page.as_deref().into_iter().chain([doc.link]).filter(|link| !link.is_empty()) {
        let _ = write!(out, "\n\n<{link}>");
    }
}
