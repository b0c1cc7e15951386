/* Included by PostgreSQL headers; the parser writes no log. */
