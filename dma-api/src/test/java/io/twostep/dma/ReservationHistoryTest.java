package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.DeviceView;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.MapFlags;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Random histories of reservations, right and wrong calls mixed, against an oracle that knows what each byte of each window must be. */
class ReservationHistoryTest {
  private static final long PAGE = 4096;
  private static final int OPERATIONS = 260_000;
  private static final int MOST_PAGES = 12;

  @ParameterizedTest
  @EnumSource(
      value = Rig.Kind.class,
      names = {"TRANSLATING", "HOST", "BOUNCE_TRANSLATING", "PEER_TRANSLATING"})
  @Tag("may-break:empty-range+freed-while-linked+link-overlaps+mapped-twice+misaligned-link+misaligned-unlink+never-mapped")
  @Tag("may-break:not-memory+outside-window+overlapping-write+publish-of-hole+range-wraps+torn-down-twice+unlink-of-hole")
  @Tag("may-break:used-after-teardown")
  void deviceSeesExactlyWhatTheOracleKnows(Rig.Kind kind) throws InterruptedException {
    Seeds.run(20_261_121, random -> new History(kind, random).run());
  }

  /** What a window must look like: for each page the physical page, the link it came with, and whether the device may see it. */
  private static final class Window {
    final IovaReservation handle;
    boolean open;
    long address;
    long length;
    int pages;
    final long[] phys = new long[MOST_PAGES + 1];
    final long[] from = new long[MOST_PAGES + 1];
    final long[] bytes = new long[MOST_PAGES + 1];
    final int[] link = new int[MOST_PAGES + 1];
    final boolean[] synced = new boolean[MOST_PAGES + 1];
    final boolean[] pending = new boolean[MOST_PAGES + 1];

    Window(IovaReservation handle) {
      this.handle = handle;
    }

    int page(long offset) {
      return (int) ((address % PAGE + offset) / PAGE);
    }

    long firstByte(int page) {
      return Math.max(0, page * PAGE - address % PAGE);
    }

    long lastByte(int page) {
      return Math.min(length, (page + 1) * PAGE - address % PAGE) - 1;
    }

    void forget() {
      for (int i = 0; i <= MOST_PAGES; i++) {
        clear(i);
        pending[i] = false;
      }
    }

    void clear(int page) {
      link[page] = 0;
      phys[page] = 0;
      synced[page] = false;
    }

    boolean holdsAnything() {
      for (int i = 0; i < pages; i++) {
        if (link[i] != 0) {
          return true;
        }
      }
      return false;
    }
  }

  private static final class History {
    private final Rig rig;
    private final Random random;
    private final Window[] windows = new Window[4];
    private final FakeBlock memory;
    private final InvalidationBatch batch;
    private final String before;
    private int links;

    History(Rig.Kind kind, Random random) {
      this.random = random;
      rig = new Rig(kind);
      memory = rig.allocate(64 * PAGE, MemoryPlacement.SCATTERED);
      batch = rig.mapper.newBatch();
      before = rig.accounts();
      for (int i = 0; i < windows.length; i++) {
        windows[i] = new Window(rig.mapper.newReservation());
      }
    }

    void run() {
      for (int i = 0; i < OPERATIONS; i++) {
        Window window = windows[random.nextInt(windows.length)];
        step(window);
        check(windows[random.nextInt(windows.length)]);
      }
      completeBatch();
      for (Window window : windows) {
        window.handle.close();
      }
      assertThat(rig.accounts()).isEqualTo(before);
    }

    private void step(Window window) {
      int dice = random.nextInt(100);
      if (!window.open) {
        if (dice < 80) {
          alloc(window);
        } else {
          wrongWhileIdle(window);
        }
      } else if (dice < 45) {
        link(window);
      } else if (dice < 60) {
        sync(window);
      } else if (dice < 80) {
        unlink(window);
      } else if (dice < 84) {
        completeBatch();
      } else if (dice < 92) {
        moveBytes(window);
      } else if (dice < 95) {
        end(window);
      } else {
        wrongWhileMapped(window);
      }
    }

    private void alloc(Window window) {
      long lead = random.nextInt(3) == 0 ? random.nextInt((int) PAGE) : 0;
      window.length = 1 + random.nextLong(MOST_PAGES * PAGE - lead);
      assertThat(window.handle.tryAlloc(lead, window.length, BIDIRECTIONAL, NONE)).isTrue();
      window.address = window.handle.address();
      assertThat(window.address % PAGE).isEqualTo(lead);
      window.pages = window.page(window.length - 1) + 1;
      window.open = true;
      window.forget();
    }

    private void link(Window window) {
      long offset = random.nextInt(3) == 0 ? random.nextLong(window.length) : window.firstByte(random.nextInt(window.pages));
      long length = 1 + random.nextLong(Math.min(window.length - offset, random.nextBoolean() ? PAGE : 3 * PAGE));
      long low = (window.address + offset) % PAGE;
      int first = window.page(offset);
      int last = window.page(offset + length - 1);
      // Pages of one link lie next to each other in one frame pair at most: a scattered block has single frames only.
      if (last > first) {
        length = Math.min(length, PAGE - low);
        last = first;
      }
      long phys = memory.phys(random.nextInt(64) * PAGE) + low;
      boolean taken = window.link[first] != 0 || window.pending[first];
      if (taken) {
        refused(Set.of(Reason.ALREADY_LINKED), linkCall(window, offset, phys, length));
      } else if (random.nextInt(20) == 0) {
        refused(Set.of(Reason.MISALIGNED), linkCall(window, offset, phys ^ 1, 1));
      } else if (random.nextInt(20) == 0) {
        refused(Set.of(Reason.NOT_BACKED), linkCall(window, offset, 0x7000_0000_0000L + low, length));
      } else if (window.handle.link(offset, phys, length) != window.address + offset) {
        throw new AssertionError("the address of a link is not the window's");
      } else {
        window.link[first] = ++links;
        window.phys[first] = phys & -PAGE;
        window.from[first] = offset;
        window.bytes[first] = length;
      }
    }

    private static Runnable linkCall(Window window, long offset, long phys, long length) {
      return () -> window.handle.link(offset, phys, length);
    }

    private static void refused(Set<Reason> reasons, Runnable call) {
      try {
        call.run();
      } catch (DmaMappingException e) {
        if (!reasons.contains(e.reason())) {
          throw new AssertionError("expected one of " + reasons, e);
        }
        return;
      }
      throw new AssertionError("expected one of " + reasons);
    }

    private static void misuse(Class<? extends RuntimeException> type, Runnable call) {
      try {
        call.run();
      } catch (RuntimeException e) {
        if (e.getClass() != type) {
          throw new AssertionError("expected " + type, e);
        }
        return;
      }
      throw new AssertionError("expected " + type);
    }

    private void sync(Window window) {
      int from = random.nextInt(window.pages);
      int to = from + random.nextInt(window.pages - from);
      long offset = window.firstByte(from);
      window.handle.sync(offset, window.lastByte(to) + 1 - offset);
      for (int i = from; i <= to; i++) {
        window.synced[i] = window.link[i] != 0;
      }
    }

    private void unlink(Window window) {
      int from = random.nextInt(window.pages);
      int to = Math.min(window.pages - 1, from + random.nextInt(3));
      boolean batched = random.nextBoolean();
      if (random.nextInt(15) == 0 && window.lastByte(from) - window.firstByte(from) > 2) {
        refused(Set.of(Reason.MISALIGNED), () -> window.handle.unlink(window.firstByte(from) + 1, 1));
        return;
      }
      boolean hole = false;
      for (int i = from; i <= to; i++) {
        hole |= window.link[i] == 0;
      }
      long offset = window.firstByte(from);
      long length = window.lastByte(to) + 1 - offset;
      if (hole) {
        refused(Set.of(Reason.NOT_LINKED), () -> unlinkPages(window, offset, length, batched));
        return;
      }
      unlinkPages(window, offset, length, batched);
      for (int i = from; i <= to; i++) {
        // What the device has never seen needs no invalidation to be gone.
        window.pending[i] = batched && window.synced[i] && rig.kind != Rig.Kind.HOST;
        window.clear(i);
      }
    }

    private void unlinkPages(Window window, long offset, long length, boolean batched) {
      if (batched) {
        window.handle.unlink(offset, length, batch);
      } else {
        window.handle.unlink(offset, length);
      }
    }

    private void completeBatch() {
      batch.complete();
      assertThat(batch.isEmpty()).isTrue();
      for (Window window : windows) {
        java.util.Arrays.fill(window.pending, false);
      }
    }

    /** The CPU writes and hands over; the device writes and hands back; bytes beside are not touched. */
    private void moveBytes(Window window) {
      int page = random.nextInt(window.pages);
      if (window.link[page] == 0 || !window.synced[page] || pageIsShared(window, page)) {
        return;
      }
      long offset = window.from[page] + random.nextLong(window.bytes[page]);
      long phys = window.phys[page] + (window.address + offset) % PAGE;
      byte value = (byte) random.nextInt();
      rig.memory.put(phys, value);
      window.handle.syncForDevice(offset, 1);
      require(rig.deviceRead(window.address + offset) == value, "the device reads what the CPU wrote");
      rig.deviceWrite(window.address + offset, (byte) ~value);
      window.handle.syncForCpu(offset, 1);
      require(rig.memory.get(phys) == (byte) ~value, "the CPU reads what the device wrote");
    }

    private static void require(boolean condition, String what) {
      if (!condition) {
        throw new AssertionError(what);
      }
    }

    /** Two links of one frame would both own the byte. */
    private boolean pageIsShared(Window window, int page) {
      int owners = 0;
      for (Window other : windows) {
        for (int i = 0; i < other.pages && other.open; i++) {
          owners += other.phys[i] == window.phys[page] ? 1 : 0;
        }
      }
      return owners > 1;
    }

    private void end(Window window) {
      boolean holds = window.holdsAnything();
      int how = random.nextInt(3);
      if (how == 0) {
        if (holds) {
          misuse(IllegalStateException.class, window.handle::free);
          return;
        }
        window.handle.free();
      } else if (how == 1) {
        window.handle.destroy();
      } else {
        window.handle.destroy(batch);
      }
      window.open = false;
      window.forget();
    }

    private void wrongWhileIdle(Window window) {
      switch (random.nextInt(5)) {
        case 0 -> misuse(IllegalStateException.class, () -> window.handle.link(0, memory.phys(0), 1));
        case 1 -> misuse(IllegalStateException.class, window.handle::destroy);
        case 2 -> misuse(IllegalStateException.class, () -> window.handle.destroy(batch));
        case 3 -> misuse(IllegalStateException.class, () -> window.handle.sync(0, 1));
        default -> misuse(IllegalArgumentException.class, () -> window.handle.tryAlloc(0, 0, BIDIRECTIONAL, NONE));
      }
    }

    private void wrongWhileMapped(Window window) {
      switch (random.nextInt(7)) {
        case 0 -> misuse(IllegalStateException.class, () -> window.handle.tryAlloc(0, 1, BIDIRECTIONAL, NONE));
        case 1 -> misuse(IllegalArgumentException.class, () -> window.handle.link(window.length, memory.phys(0), 1));
        case 2 -> misuse(IllegalArgumentException.class, () -> window.handle.link(0, memory.phys(0), window.length + 1));
        case 3 -> misuse(IllegalArgumentException.class, () -> window.handle.link(0, -1L, 2));
        case 4 -> misuse(IllegalArgumentException.class, () -> window.handle.unlink(-1, 1));
        case 5 -> misuse(IllegalArgumentException.class, () -> window.handle.sync(0, Long.MAX_VALUE));
        default -> misuse(IllegalArgumentException.class, () -> window.handle.syncForCpu(0, 0));
      }
    }

    private void check(Window window) {
      if (!window.open) {
        return;
      }
      int page = random.nextInt(window.pages);
      long at = window.address + window.firstByte(page);
      if (window.link[page] != 0 && window.synced[page]) {
        long reached = rig.reached(at, MapFlags.ACCESS);
        boolean itself = reached == window.phys[page] + at % PAGE;
        require(rig.kind.bounces ? reached != DeviceView.NOTHING && !itself : itself, "what is linked is reached");
      } else if (!window.pending[page]) {
        require(rig.isUnreachable(at), "what is not linked and synced is not reached");
      }
    }
  }
}
