// Says how long a program waits for the package: `load`, and the check of one statement.
import { load } from "../package/dist/node.mjs";

const began = performance.now();
const analyzer = await load();
analyzer.check([{ name: "schema.sql", text: "CREATE TABLE public.t (a int) TABLESPACE fast;\n" }]);
console.log(Math.round(performance.now() - began));
