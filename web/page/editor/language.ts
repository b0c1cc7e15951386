// A dump's text for the eye: SQL as PostgreSQL reads it, the data of a COPY, and psql's own commands. It reads line by line
// and keeps one small state, so that a dump of many megabytes is coloured as far as it is looked at.

import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StringStream } from "@codemirror/language";
import { tags } from "@lezer/highlight";

const KEYWORDS = new Set(
  `absolute access action add admin after aggregate all alter always analyze and any as asc assertion asymmetric at atomic
  attach attribute authorization before begin between bigint boolean both by bypassrls cache call cascade case cast check
  class cluster collate collation column columns comment commit concurrently configuration connection constraint constraints
  conversion copy cost create createdb createrole cross current current_date current_role current_timestamp current_user
  cursor cycle data database day declare default defaults deferrable deferred definer delete desc dictionary disable distinct
  do domain double drop each else enable encoding encrypted end enum event except exclude execute exists explain expression
  extension external false family fetch filter finalize first following for force foreign freeze from full function functions
  generated global grant granted group handler having identity if ilike immutable in increment index indexes inherit inherits
  initially inline inner inout input insert instead intersect interval into invoker is isolation join key language large last
  lateral leading leakproof left level like limit locale location lock logged login mapping match materialized maxvalue merge
  method minvalue mode name natural new next no nobypassrls nocreatedb nocreaterole noinherit nologin none noreplication
  nosuperuser not nothing notify null nulls object of off offset old on only operator option options or order ordinality
  others out outer over overriding owned owner parallel parameter parser partition password permissive plans policy position
  precision preserve primary privileges procedural procedure procedures public publication range read recursive ref references
  referencing refresh reindex rename replace replica replication reset restart restrict restricted restrictive return
  returning returns revoke right role rollback routine row rows rule savepoint schema schemas search security select sequence
  sequences server session session_user set setof share show simple skip snapshot some stable start statement statistics stdin
  stdout storage stored strict subscription superuser support symmetric system table tables tablespace temp template temporary
  then ties time timestamp to trailing transaction transform trigger true truncate trusted type types unbounded unencrypted
  union unique unknown unlogged until update usage user using vacuum valid validate validator value values varying version
  view views volatile when where window with within without wrapper write year yes zone`.split(/\s+/),
);

const TYPES = new Set(
  `bigint bigserial bit bool boolean box bpchar bytea char character cidr circle citext date daterange decimal double float
  float4 float8 geography geometry hstore inet int int2 int4 int4range int8 int8range integer interval json jsonb line lseg
  macaddr money name numeric numrange oid path point polygon real record regclass regproc serial serial4 serial8 smallint
  smallserial text time timestamp timestamptz timetz trigger tsquery tsrange tstzrange tsvector uuid varchar void xml`.split(/\s+/),
);

/** What the start of a line is inside of. */
interface State {
  inside: "sql" | "copy" | "comment" | "string" | "escapes" | "identifier" | "dollar";
  /** How deep comments are nested, or a dollar quote's own end. */
  depth: number;
  end: string;
  /** The statement so far: whether it begins a COPY from standard input. */
  copying: "start" | "copy" | "stdin" | "no";
}

function untilQuote(stream: StringStream, state: State, quote: string): void {
  for (let char = stream.next(); char !== undefined; char = stream.next()) {
    if (char === "\\" && state.inside === "escapes") stream.next();
    else if (char === quote && !stream.eat(quote)) {
      state.inside = "sql";
      return;
    }
  }
}

function untilEnd(stream: StringStream, state: State): void {
  if (stream.skipTo(state.end)) {
    stream.pos += state.end.length;
    state.inside = "sql";
  } else stream.skipToEnd();
}

function comment(stream: StringStream, state: State): void {
  for (let char = stream.next(); char !== undefined; char = stream.next()) {
    if (char === "/" && stream.eat("*")) state.depth++;
    else if (char === "*" && stream.eat("/") && --state.depth === 0) {
      state.inside = "sql";
      return;
    }
  }
}

function word(text: string, state: State): string | null {
  const lower = text.toLowerCase();
  if (state.copying === "start") state.copying = lower === "copy" ? "copy" : "no";
  else if (state.copying === "copy" && lower === "stdin") state.copying = "stdin";
  if (TYPES.has(lower)) return "typeName";
  return KEYWORDS.has(lower) ? "keyword" : null;
}

function sql(stream: StringStream, state: State): string | null {
  if (stream.eatSpace()) return null;
  if (stream.match("--")) {
    stream.skipToEnd();
    return "comment";
  }
  if (stream.match("/*")) {
    state.inside = "comment";
    state.depth = 1;
    comment(stream, state);
    return "comment";
  }
  if (state.copying === "start" && stream.eat("\\")) {
    stream.skipToEnd();
    return "meta";
  }
  const quote = stream.match(/^(?:[ebnx]|u&)?'/i);
  if (Array.isArray(quote)) {
    state.inside = /^e/i.test(quote[0]) ? "escapes" : "string";
    untilQuote(stream, state, "'");
    return "string";
  }
  if (stream.match(/^(?:u&)?"/i)) {
    state.inside = "identifier";
    untilQuote(stream, state, '"');
    state.copying = state.copying === "start" ? "no" : state.copying;
    return "name";
  }
  const dollar = stream.match(/^\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/i);
  if (Array.isArray(dollar)) {
    state.inside = "dollar";
    state.end = dollar[0];
    untilEnd(stream, state);
    return "string";
  }
  const name = stream.match(/^[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/i);
  if (Array.isArray(name)) return word(name[0], state);
  if (stream.match(/^\d[\w.]*/)) return "number";
  const char = stream.next();
  if (char === ";") {
    if (state.copying === "stdin") state.inside = "copy";
    state.copying = "start";
  } else if (state.copying === "start") state.copying = "no";
  return "punctuation";
}

const dump = StreamLanguage.define<State>({
  name: "dump",
  startState: () => ({ inside: "sql", depth: 0, end: "", copying: "start" }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    switch (state.inside) {
      case "copy":
        // The rest of the line with the semicolon is no data.
        if (!stream.sol()) return sql(stream, { ...state, inside: "sql" });
        if (/^\\\.\r?$/.test(stream.string)) state.inside = "sql";
        stream.skipToEnd();
        return "processingInstruction";
      case "comment":
        comment(stream, state);
        return "comment";
      case "string":
      case "escapes":
        untilQuote(stream, state, "'");
        return "string";
      case "identifier":
        untilQuote(stream, state, '"');
        return "name";
      case "dollar":
        untilEnd(stream, state);
        return "string";
      case "sql":
        return sql(stream, state);
    }
  },
  languageData: { commentTokens: { line: "--", block: { open: "/*", close: "*/" } } },
});

const style = HighlightStyle.define([
  { tag: tags.keyword, class: "tok-keyword" },
  { tag: tags.typeName, class: "tok-type" },
  { tag: tags.string, class: "tok-string" },
  { tag: tags.comment, class: "tok-comment" },
  { tag: tags.number, class: "tok-number" },
  { tag: tags.meta, class: "tok-meta" },
  { tag: tags.processingInstruction, class: "tok-data" },
]);

export const dumpLanguage = [dump, syntaxHighlighting(style)];
