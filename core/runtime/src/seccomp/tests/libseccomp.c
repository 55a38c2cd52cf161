/* Builds a filter with libseccomp from lines on standard input and writes its instructions to standard output.
 * default ACTION | arch TOKEN | rule ACTION NAME COUNT [INDEX OP A B]...
 * A name that this libseccomp does not know for an architecture is written to standard error, as TOKEN NAME. */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    char word[64], name[128];
    scmp_filter_ctx ctx = NULL;
    unsigned arches[8], arch_count = 0;
    while (scanf("%63s", word) == 1) {
        unsigned action, count, token;
        if (!strcmp(word, "default")) {
            if (scanf("%u", &action) != 1 || !(ctx = seccomp_init(action))) return 10;
        } else if (!strcmp(word, "arch")) {
            if (scanf("%u", &token) != 1 || arch_count == 8) return 11;
            arches[arch_count++] = token;
            if (token != seccomp_arch_native() && seccomp_arch_add(ctx, token) < 0) return 12;
        } else if (!strcmp(word, "rule")) {
            struct scmp_arg_cmp args[6];
            if (scanf("%u %127s %u", &action, name, &count) != 3 || count > 6) return 13;
            for (unsigned i = 0; i < count; i++) {
                unsigned index, op;
                unsigned long long a, b;
                if (scanf("%u %u %llu %llu", &index, &op, &a, &b) != 4) return 14;
                args[i] = (struct scmp_arg_cmp){.arg = index, .op = op, .datum_a = a, .datum_b = b};
            }
            for (unsigned i = 0; i < arch_count; i++) {
                int there = seccomp_syscall_resolve_name_arch(arches[i], name);
                if (there == __NR_SCMP_ERROR || there <= -10000) fprintf(stderr, "%u %s\n", arches[i], name);
            }
            int nr = seccomp_syscall_resolve_name(name);
            if (nr == __NR_SCMP_ERROR) continue;
            int rc = seccomp_rule_add_array(ctx, action, nr, count, args);
            if (rc < 0 && rc != -17) { /* EEXIST */
                fprintf(stderr, "!%s: %d\n", name, rc);
                return 15;
            }
        }
    }
    return seccomp_export_bpf(ctx, 1) < 0 ? 16 : 0;
}
