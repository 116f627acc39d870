package io.twostep.machine.model.memory;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Hand out runs of pages of the virtual half of the storage, first fit, joining neighbours as they come back. Pure and not thread-safe. */
final class ViewAllocator {
  /** No run is long enough. */
  static final int NONE = -1;

  private final TreeMap<Integer, Integer> free = new TreeMap<>();

  ViewAllocator(int firstPage, int pages) {
    free.put(firstPage, pages);
  }

  int allocate(int pages) {
    Map.Entry<Integer, Integer> run = firstFit(pages);
    if (run == null) {
      return NONE;
    }
    int first = run.getKey();
    int length = run.getValue();
    free.remove(first);
    if (length > pages) {
      free.put(first + pages, length - pages);
    }
    return first;
  }

  private Map.@Nullable Entry<Integer, Integer> firstFit(int pages) {
    for (Map.Entry<Integer, Integer> run : free.entrySet()) {
      if (run.getValue() >= pages) {
        return run;
      }
    }
    return null;
  }

  void free(int firstPage, int pages) {
    int first = firstPage;
    int length = pages;
    Map.Entry<Integer, Integer> before = free.lowerEntry(first);
    if (before != null && before.getKey() + before.getValue() == first) {
      free.remove(before.getKey());
      first = before.getKey();
      length += before.getValue();
    }
    Integer after = free.remove(firstPage + pages);
    free.put(first, after == null ? length : length + after);
  }
}
