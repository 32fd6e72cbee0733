/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one clear line on stderr, said where the cause is known, then a status passed upwards. */
#ifndef NIEVM_FAIL_H
#define NIEVM_FAIL_H

/* Exit statuses of nievm, in its help and in README.md. */
enum nievm_status {
	OK = 0, /* the VM powered itself off */
	FAILED = 1, /* what was asked could not be done */
	USAGE = 2, /* the arguments are wrong */
	RESET = 3, /* the VM asked for a reset */
	UNSERVED = 4, /* the VM did something that the monitor cannot serve */
	STOPPED = 5, /* stopped from outside, or by the user at its console */
};

/* Print "nievm: MESSAGE"; returns FAILED. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and ": " with errno's text. */
int fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Likewise for wrong arguments, with a pointer to the help; returns USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
