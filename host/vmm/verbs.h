/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of nievm. argv[0] is the verb; each returns an enum nievm_status, errors said. */
#ifndef NIEVM_VERBS_H
#define NIEVM_VERBS_H

int verb_run(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_console(int argc, char **argv);

#endif
