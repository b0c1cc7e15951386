// Dumps to try the page with: what pg_dumpall and pg_dump write.

import shopRoles from "./shop-roles.sql?raw";
import shopSchema from "./shop-schema.sql?raw";

export interface Sample {
  title: string;
  texts: { name: string; text: string }[];
}

export const samples: readonly Sample[] = [
  {
    title: "A shop",
    texts: [
      { name: "roles.sql", text: shopRoles },
      { name: "schema.sql", text: shopSchema },
    ],
  },
];
