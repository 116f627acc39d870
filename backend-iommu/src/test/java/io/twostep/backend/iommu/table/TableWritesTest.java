package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntSupplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The count of stored words, by which users compare strategies, is the number of words that change in memory, on every way to a leaf and from one without holes. */
class TableWritesTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final long ANY = RadixPageTable.ANY_LEAF;
  private static final long BASE = 0x7_0000_0000L;
  private static final int PAGES = 64;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void everyWordThatChangesIsCountedOnce(TableFormat format) {
    try (Arena arena = Arena.ofConfined()) {
      Counted counted = new Counted(format, arena);
      RadixPageTable table = counted.table;
      LeafCursor cursor = new LeafCursor();
      TablePages detached = new TablePages();

      counted.run("a page, and the tables above it", () -> table.map(0x5000, 0x9000, 0x1000, RW, ANY, cursor, detached));
      counted.run("pages of one leaf table", () -> table.map(0x10000, 0x29000, 0x5000, RW, ANY, cursor, detached));
      counted.run("a contiguous leaf, where there is one", () -> table.map(0x40000, 0x80000, 0x10000, RW, ANY, cursor, detached));
      counted.run("a large leaf", () -> table.map(0x400000, 0x800000, 0x200000, RW, ANY, cursor, detached));
      counted.run("what needs leaves of all sizes", () -> table.map(0xbff000, 0x3ff000, 0x40a000, RW, ANY, cursor, detached));
      long[] pages = {0x101000, 0x103000, 0x105000};
      long[] lengths = {0x1000, 0x1000, 0x1000};
      counted.run("a run of pages", () -> table.mapRun(0x1fe000, pages, lengths, 0, 3, RW, ANY, cursor, detached));
      long[] ranges = {0x9000, 0x200000, 0x400000};
      long[] sizes = {0x1000, 0x3000, 0x1000};
      counted.run("a run of ranges", () -> table.mapRun(0x2000000, ranges, sizes, 0, 3, RW, ANY, cursor, detached));
      PageWindow window = table.pageWindow(0x2000000, 0x21fffff);
      counted.run("a page of a window", () -> window.tryLink(0x2008000, 0x9000, 0x1000, RW) ? TableResult.OK : -1);
      counted.run("pages taken out", () -> table.unlink(0x10000, 0x14fff, cursor));
      counted.run("a page and the holes around it", () -> table.clear(0, 0x3ffff, cursor));
      counted.run("a large leaf taken out", () -> table.clear(0x400000, 0x5fffff, cursor));
      counted.run("many tables with little in them", () -> table.clearAndDetach(0x1000000, 0x2ffffff, cursor, detached));
      TablePages.freeChain(counted.memory, detached.takeChain());
    }
  }

  /** A table in memory whose words are compared. */
  private static final class Counted {
    final FakeTableMemory memory;
    final LongAdder stores = new LongAdder();
    final RadixPageTable table;

    Counted(TableFormat format, Arena arena) {
      memory = new FakeTableMemory(arena, BASE, PAGES);
      table = new RadixPageTable(format, memory, FakeTableMemory.PAGE, (root, levels) -> {}, stores);
    }

    void run(String what, IntSupplier change) {
      long[] before = words();
      long counted = stores.sum();
      assertThat(change.getAsInt()).as(what).isEqualTo(TableResult.OK);
      long[] after = words();
      long changed = 0;
      for (int i = 0; i < before.length; i++) {
        changed += before[i] == after[i] ? 0 : 1;
      }
      assertThat(changed).as(what).isPositive();
      assertThat(stores.sum() - counted).as(what).isEqualTo(changed);
    }

    private long[] words() {
      long[] words = new long[PAGES * FakeTableMemory.PAGE / Long.BYTES];
      for (int i = 0; i < words.length; i++) {
        words[i] = memory.word(BASE + (long) i * Long.BYTES);
      }
      return words;
    }
  }
}
