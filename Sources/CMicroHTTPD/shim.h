// libmicrohttpd, and its variadic calls under fixed signatures: Swift cannot make them.
#include <microhttpd.h>

/* One thread a connection on a socket that is bound already; NULL when it could not be started. */
static inline struct MHD_Daemon *forage_http_start (
  int listening, unsigned int connections, size_t header_bytes, unsigned int timeout_seconds,
  size_t stack_bytes, MHD_AccessHandlerCallback handler, MHD_RequestCompletedCallback completed,
  void *context)
{
  return MHD_start_daemon (
    MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL, NULL,
    handler, context,
    MHD_OPTION_LISTEN_SOCKET, (MHD_socket) listening,
    MHD_OPTION_CONNECTION_LIMIT, connections,
    MHD_OPTION_CONNECTION_MEMORY_LIMIT, header_bytes,
    MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds,
    MHD_OPTION_THREAD_STACK_SIZE, stack_bytes,
    MHD_OPTION_NOTIFY_COMPLETED, completed, context,
    MHD_OPTION_END);
}

/* Seconds without a byte until a connection is closed; 0 is never. */
static inline void forage_http_set_timeout (struct MHD_Connection *connection, unsigned int seconds)
{
  (void) MHD_set_connection_option (connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/* The connection's socket; -1 when it has none. */
static inline int forage_http_descriptor (struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info
    = MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}
