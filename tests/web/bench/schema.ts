// Dumps of a wanted size, as pg_dump writes them.

const table = (number: number): string => `
--
-- Name: table_${number}; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.table_${number} (
    id bigint NOT NULL,
    name character varying(80) DEFAULT 'unnamed'::character varying NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    amount numeric(12,2) DEFAULT 0.0,
    attributes jsonb,
    CONSTRAINT table_${number}_amount_check CHECK (((amount >= (0)::numeric) AND (amount < (1000000)::numeric)))
);

ALTER TABLE public.table_${number} OWNER TO tsdbadmin;

CREATE FUNCTION public.touch_${number}() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.created_at := now();
    RETURN NEW;
END;
$$;

ALTER TABLE ONLY public.table_${number}
    ADD CONSTRAINT table_${number}_pkey PRIMARY KEY (id);

CREATE INDEX table_${number}_name ON public.table_${number} USING btree (lower((name)::text)) WHERE (amount > (0)::numeric)${number % 100 === 0 ? " TABLESPACE fast" : ""};

CREATE TRIGGER touch BEFORE UPDATE ON public.table_${number} FOR EACH ROW EXECUTE FUNCTION public.touch_${number}();

COMMENT ON TABLE public.table_${number} IS 'What table ${number} is for';
`;

/** A schema of about so many bytes. One statement in some hundred needs a fix. */
export function schema(bytes: number): string {
  const parts: string[] = ["CREATE ROLE app;\n"];
  for (let size = 0, number = 1; size < bytes; number++) {
    const part = table(number);
    parts.push(part);
    size += part.length;
  }
  return parts.join("");
}

/** The pieces of a dump of about so many bytes, nearly all of them rows. */
export function* data(bytes: number): Generator<string> {
  yield schema(500_000);
  yield "COPY public.table_1 (id, name, created_at, amount, attributes) FROM stdin;\n";
  const row = '1234567\tsome name or other\t2024-05-06 07:08:09.123456+00\t1234.56\t{"a": 1, "b": [1, 2, 3]}\n';
  const piece = row.repeat(10_000);
  for (let size = 500_000; size < bytes; size += piece.length) yield piece;
  yield "\\.\n\nCREATE INDEX late ON public.table_1 USING btree (name) TABLESPACE fast;\n";
}
