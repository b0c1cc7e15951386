#ifndef TSMIGRATE_NETDB_H
#define TSMIGRATE_NETDB_H
/* Included by PostgreSQL headers; the parser opens no connection. */
#endif
