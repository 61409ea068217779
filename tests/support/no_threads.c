/* A system that refuses new threads as soon as the file NO_THREADS exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	const char *none = getenv("NO_THREADS");
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (none && access(none, F_OK) == 0)
		return EAGAIN;
	*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attributes, run, argument);
}
