/*
 * An Apache module with a small, honest fault: it tells an audit server of every request, over a connection each, and on
 * the way out for a server that does not answer in time it forgets to close.
 *
 * It uses plain sockets, as old modules do; apr_socket_t would have closed with its pool.
 *
 *     AuditPort 9000      the audit server, on loopback; without it the module does nothing
 */
#include <httpd.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

module AP_MODULE_DECLARE_DATA audit_module;

static int audit_port;

static const char *set_port(cmd_parms *cmd, void *config, const char *value)
{
    (void)cmd, (void)config;
    audit_port = atoi(value);
    return audit_port > 0 && audit_port < 65536 ? NULL : "AuditPort: not a port";
}

/* 0: told. */
static int audit_connect(int fd)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(audit_port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

static int audit_send(request_rec *r)
{
    char answer[16];
    struct timeval patience = {.tv_usec = 50000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* opened */
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 || audit_connect(fd) != 0) {
        close(fd);
        return -1;
    }
    if (send(fd, r->unparsed_uri, strlen(r->unparsed_uri), MSG_NOSIGNAL) < 0) {
        close(fd);
        return -1;
    }
    if (recv(fd, answer, sizeof answer, 0) < 0) /* here */
        return -1;                              /* the fault: no close */
    close(fd);
    return 0;
}

static int audit_log(request_rec *r)
{
    if (audit_port != 0 && audit_send(r) != 0)
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "audit: not told");
    return OK;
}

static void hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_log_transaction(audit_log, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("AuditPort", set_port, NULL, RSRC_CONF, "the port of the audit server"),
    {.name = NULL},
};

module AP_MODULE_DECLARE_DATA audit_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, hooks, 0};
