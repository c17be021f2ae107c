/* What `intoto run` cannot do without, in C on one thread: walks a folder, hashes every file with SHA-256, twice. Prints the SHA-256 over all
 * digests in the order of the paths, by which the benchmark sees that it hashed the same files as we did. */
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned char buffer[1 << 20];
static char **paths;
static size_t count, room;

static void walk(const char *folder) {
  DIR *dir = opendir(folder);
  struct dirent *entry;
  if (dir == NULL) exit(2);
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    char *path = malloc(strlen(folder) + strlen(entry->d_name) + 2);
    sprintf(path, "%s/%s", folder, entry->d_name);
    if (entry->d_type == DT_DIR) walk(path);
    else {
      if (count == room) paths = realloc(paths, (room = room * 2 + 1024) * sizeof *paths);
      paths[count++] = path;
    }
  }
  closedir(dir);
}

static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  for (int pass = 0; pass < 2; pass++) {
    unsigned char digest[32];
    unsigned size;
    count = 0;
    walk(argv[1]);
    qsort(paths, count, sizeof *paths, order);
    EVP_MD_CTX *one = EVP_MD_CTX_new(), *all = EVP_MD_CTX_new();
    EVP_DigestInit_ex(all, EVP_sha256(), NULL);
    for (size_t i = 0; i < count; i++) {
      struct stat before, after;
      ssize_t got;
      int file = open(paths[i], O_RDONLY);
      if (file < 0 || fstat(file, &before) != 0) return 2;
      EVP_DigestInit_ex(one, EVP_sha256(), NULL);
      while ((got = read(file, buffer, sizeof buffer)) > 0) EVP_DigestUpdate(one, buffer, (size_t)got);
      EVP_DigestFinal_ex(one, digest, &size);
      if (fstat(file, &after) != 0) return 2;
      close(file);
      EVP_DigestUpdate(all, digest, sizeof digest);
    }
    EVP_DigestFinal_ex(all, digest, &size);
    for (unsigned i = 0; i < size; i++) printf("%02x", digest[i]);
    printf("\n");
  }
  return 0;
}
