// The types of both sides in one place, for the page.
export type { Format, Range, Result, Source, TextChange } from "./protocol";
export type { Catalogue, Choice, Decision, Finding, Fix, Refusal, Report, Settings, Severity, Verdict } from "./report";
