// Dumps to try the page with: what pg_dumpall and pg_dump write.

import plant from "./plant.sql?raw";
import sensorsSchema from "./sensors-schema.sql?raw";
import shopRoles from "./shop-roles.sql?raw";
import shopSchema from "./shop-schema.sql?raw";

export interface Sample {
  title: string;
  /** What there is to see. */
  about: string;
  texts: { name: string; text: string }[];
}

export const samples: readonly Sample[] = [
  {
    title: "A shop: roles and schema",
    about: "Owners, grants and extensions of a plain PostgreSQL database, with a decision for you.",
    texts: [
      { name: "roles.sql", text: shopRoles },
      { name: "schema.sql", text: shopSchema },
    ],
  },
  {
    title: "A plant: TimescaleDB of your own",
    about: "A hypertable with TimescaleDB’s catalogs, as pg_dump writes them.",
    texts: [{ name: "plant.sql", text: plant }],
  },
  {
    title: "Sensors: tables that could be hypertables",
    about: "Time series in plain tables: which of them a hypertable would serve, and why.",
    texts: [{ name: "sensors.sql", text: sensorsSchema }],
  },
];
