/*
 * replay.c - feeds files to a fuzz target, where there is no libFuzzer.
 *
 * Arguments are directories, whose files are taken in the order of their names, or files.  Prints
 * `ok - replay PROGRAM: K inputs` at the end; a crash is the test's failure, and so is no input.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATH_SIZE 4096
#define INPUT_SIZE_MAX (64u << 20)

static unsigned input_count;

static void die(const char *what, const char *path)
{
    printf("not ok - replay: %s: %s\n", what, path);
    exit(1);
}

static void replay_file(const char *path)
{
    uint8_t *data = NULL;
    size_t   size = 0;
    size_t   capacity = 0;
    FILE    *file = fopen(path, "rb");

    if (file == NULL)
        die("cannot be read", path);
    do {
        capacity += 65536;
        data = realloc(data, capacity);
        if (data == NULL || capacity > INPUT_SIZE_MAX)
            die("too large", path);
        size += fread(data + size, 1, capacity - size, file);
    } while (size == capacity);
    if (ferror(file) || fclose(file) != 0)
        die("cannot be read", path);

    /* An exact copy, so that a sanitizer sees a read behind the end. */
    uint8_t *input = malloc(size > 0 ? size : 1);
    if (input == NULL)
        die("too large", path);
    memcpy(input, data, size);
    free(data);
    fprintf(stderr, "%s\n", path); /* the last line of a log tells which input crashed */
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    input_count++;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Replays the files of a directory; false if it is none. */
static int replay_directory(const char *path)
{
    char         **names = NULL;
    size_t         count = 0;
    struct dirent *entry;
    DIR           *directory = opendir(path);

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL) {
        char file[PATH_SIZE];
        int  length = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        names = realloc(names, (count + 1) * sizeof(names[0]));
        if (names == NULL || length < 0 || (size_t)length >= sizeof(file))
            die("too large", path);
        names[count] = malloc((size_t)length + 1);
        if (names[count] == NULL)
            die("too large", path);
        memcpy(names[count], file, (size_t)length + 1);
        count++;
    }
    (void)closedir(directory);
    if (count > 0)
        qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        replay_file(names[i]);
        free(names[i]);
    }
    free(names);
    return 1;
}

/* The program's name without its directory. */
static const char *base_name(const char *path)
{
    for (const char *at = path; *at != '\0'; at++)
        if (*at == '/' || *at == '\\')
            path = at + 1;
    return path;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!replay_directory(argv[i]))
            replay_file(argv[i]);
    if (input_count == 0)
        die("no input", argc > 1 ? argv[1] : "(no argument)");
    printf("ok - replay %s: %u inputs\n", base_name(argv[0]), input_count);
    return 0;
}
