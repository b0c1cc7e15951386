import { samples } from "../samples/samples";
import { openTexts } from "../state";
import { Command } from "./copy";

/** What to do while there is nothing to check. */
export function HowTo() {
  return (
    <div class="how-to">
      <h2>Make the dump</h2>
      <p>Roles and schema together: owners and grants are judged by the roles that the first one makes. Drop both files here.</p>
      <Command
        of="the commands that dump roles and schema"
        text={
          'pg_dumpall -d "$SOURCE" --roles-only --no-role-passwords > roles.sql\npg_dump -d "$SOURCE" --schema-only > schema.sql'
        }
      />
      <p>
        <code>SOURCE</code> is your database: <code>postgres://user@host:5432/database</code>. Passwords of roles are not needed here, and
        stay out.
      </p>
      <h3>With TimescaleDB of your own</h3>
      <p>
        Hypertables are rows in TimescaleDB’s catalogs: <code>--schema-only</code> loses them. For the check, the rows of the chunks can stay
        out.
      </p>
      <Command
        of="the command that dumps a TimescaleDB database"
        text={"pg_dump -d \"$SOURCE\" --exclude-table-data='_timescaledb_internal._*' > dump.sql"}
      />
      <h3>Or look around</h3>
      <p class="samples">
        {samples.map((sample) => (
          <button type="button" key={sample.title} onClick={() => openTexts(sample.texts)}>
            Open a sample: {sample.title}
          </button>
        ))}
      </p>
    </div>
  );
}
