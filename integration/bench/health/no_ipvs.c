/* Answers keepalived's calls of IPVS, which the kernel of a test machine may lack, with success and zeros. keepalived
 * ends without IPVS; its checkers themselves do not need it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Of linux/ip_vs.h: IP_VS_BASE_CTL, and as many numbers as there may ever be. */
static bool of_ipvs(int level, int name) { return level == IPPROTO_IP && name >= 1152 && name < 1216; }

int setsockopt(int socket, int level, int name, const void *value, socklen_t size)
{
    static int (*next)(int, int, int, const void *, socklen_t);
    if (!next) next = dlsym(RTLD_NEXT, "setsockopt");
    return of_ipvs(level, name) ? 0 : next(socket, level, name, value, size);
}

int getsockopt(int socket, int level, int name, void *value, socklen_t *size)
{
    static int (*next)(int, int, int, void *, socklen_t *);
    if (!next) next = dlsym(RTLD_NEXT, "getsockopt");
    return of_ipvs(level, name) ? 0 : next(socket, level, name, value, size);
}
