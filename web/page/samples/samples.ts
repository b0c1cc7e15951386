// Dumps to try the page with: what pg_dumpall and pg_dump write.

import plant from "./plant.sql?raw";
import sensorsSchema from "./sensors-schema.sql?raw";
import shopRoles from "./shop-roles.sql?raw";
import shopSchema from "./shop-schema.sql?raw";

export interface Sample {
  title: string;
  texts: { name: string; text: string }[];
}

export const samples: readonly Sample[] = [
  {
    title: "a shop, roles and schema",
    texts: [
      { name: "roles.sql", text: shopRoles },
      { name: "schema.sql", text: shopSchema },
    ],
  },
  { title: "TimescaleDB with a hypertable", texts: [{ name: "plant.sql", text: plant }] },
  { title: "sensors that could be hypertables", texts: [{ name: "sensors.sql", text: sensorsSchema }] },
];
