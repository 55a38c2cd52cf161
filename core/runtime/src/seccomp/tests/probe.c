/* Loads the filter in the file of the first argument, then makes the calls of the others (NUMBER[,ARGUMENT]...) and
 * writes one line each: 0 or the error number. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static struct sock_filter code[4096];
    int fd = open(argv[1], O_RDONLY);
    long size = read(fd, code, sizeof code);
    struct sock_fprog program = {.len = size / sizeof code[0], .filter = code};
    if (fd < 0 || size <= 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 10;
    setvbuf(stdout, NULL, _IOFBF, 4096);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) return 11;
    for (int i = 2; i < argc; i++) {
        unsigned long v[7] = {0};
        char *at = argv[i];
        for (int n = 0; n < 7 && *at; n++) {
            v[n] = strtoull(at, &at, 0);
            if (*at == ',') at++;
        }
        long got = syscall(v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
        printf("%d\n", got < 0 ? errno : 0);
    }
    return fflush(stdout) ? 12 : 0;
}
