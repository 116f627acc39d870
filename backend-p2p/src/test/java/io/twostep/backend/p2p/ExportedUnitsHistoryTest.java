package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AddressSpace.Translation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random histories of a window in which units of a driver's own memory, of exported host memory and of an exported BAR come and go while the exporters take their buffers back and move them: after each step the device
 * looks at every unit, and sees the page that an oracle knows by its mark, or nothing.
 */
class ExportedUnitsHistoryTest {
  private static final int PAGE = Rig.PAGE;
  private static final int UNITS = 24;
  private static final int PAGES = 6;
  private static final int STEPS = 600;

  /** A buffer with its importer; {@code marks[i]} is what the page at {@code i * PAGE} begins with. */
  private static final class Shared {
    final ExportedBuffer exported;
    ImportedBuffer imported;
    long[] marks;
    boolean revoked;

    Shared(ExportedBuffer exported, ImportedBuffer imported, long[] marks) {
      this.exported = exported;
      this.imported = imported;
      this.marks = marks;
    }
  }

  /** What the oracle knows of a unit; a hole that was taken back may be unlinked. */
  private static final class Unit {
    long mark;
    @Nullable Shared shared;
    boolean takenBack;
  }

  private static final class History {
    final Random random;
    final Rig rig;
    final SparseWindow window;
    final InvalidationBatch batch;
    final MemoryBlock own;
    final long[] ownMarks;
    final PeerBlock bar;
    final List<Shared> shared = new ArrayList<>();
    final Unit[] units = new Unit[UNITS];
    long marks;
    int revocations;

    History(Random random, Rig rig) {
      this.random = random;
      this.rig = rig;
      window = rig.mapper.newWindow((long) UNITS * PAGE, PAGE, BIDIRECTIONAL, NONE);
      batch = rig.mapper.newBatch();
      own = rig.allocate((long) PAGES * PAGE);
      ownMarks = mark(own);
      for (int i = 0; i < UNITS; i++) {
        units[i] = new Unit();
      }
      for (int i = 0; i < 2; i++) {
        MemoryBlock block = rig.allocate((long) PAGES * PAGE);
        share(block.ranges(), "host " + i, mark(block));
      }
      bar = rig.behindMemory.allocate((long) PAGES * PAGE);
      share(PhysRanges.of(bar.phys(), (long) PAGES * PAGE), "bar", mark(at -> rig.behind.put(bar.phys() - rig.behindMemory.phys() + at, ByteBuffer.allocate(8).putLong(marks).array())));
    }

    private void share(PhysRanges ranges, String name, long[] pageMarks) {
      ExportedBuffer exported = ExportedBuffer.of(rig.seen, name, ranges);
      shared.add(new Shared(exported, exported.attach(rig.mapper, () -> {}), pageMarks));
    }

    private long[] mark(MemoryBlock block) {
      return mark(at -> block.segment().asSlice(at).asByteBuffer().putLong(marks));
    }

    /** Give every page of some memory a mark of its own. */
    private long[] mark(LongConsumer write) {
      long[] given = new long[PAGES];
      for (int i = 0; i < PAGES; i++) {
        given[i] = ++marks;
        write.accept((long) i * PAGE);
      }
      return given;
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        switch (random.nextInt(12)) {
          case 0, 1 -> linkOwn();
          case 2, 3, 4, 5 -> linkShared(shared.get(random.nextInt(shared.size())));
          case 6, 7, 8 -> unlink();
          case 9 -> protect();
          case 10 -> reattach(shared.get(random.nextInt(shared.size())));
          default -> takeBackOrRestore(shared.get(random.nextInt(shared.size())));
        }
        check();
      }
      assertThat(revocations).isGreaterThan(STEPS / 60);
      end();
    }

    /** Some units: the first, and how many. */
    private int[] some() {
      int first = random.nextInt(UNITS);
      return new int[] {first, 1 + random.nextInt(Math.min(PAGES, UNITS - first))};
    }

    private boolean anyLinked(int first, int count) {
      for (int i = first; i < first + count; i++) {
        if (units[i].mark != 0) {
          return true;
        }
      }
      return false;
    }

    private void linkOwn() {
      int[] some = some();
      int from = random.nextInt(PAGES - some[1] + 1);
      long[] ranges = new long[2 * some[1]];
      for (int i = 0; i < some[1]; i++) {
        ranges[2 * i] = own.phys((long) (from + i) * PAGE);
        ranges[2 * i + 1] = PAGE;
      }
      attempt(some, null, ownMarks, from, () -> window.link((long) some[0] * PAGE, PhysRanges.of(ranges), BIDIRECTIONAL, null));
    }

    private void linkShared(Shared buffer) {
      int[] some = some();
      int from = random.nextInt(PAGES - some[1] + 1);
      attempt(
          some,
          buffer,
          buffer.marks,
          from,
          () -> window.link((long) some[0] * PAGE, buffer.imported, (long) from * PAGE, (long) some[1] * PAGE, BIDIRECTIONAL, null));
    }

    private void attempt(int[] some, @Nullable Shared buffer, long[] pageMarks, int from, Runnable link) {
      Reason expected = buffer != null && buffer.revoked ? Reason.REVOKED : anyLinked(some[0], some[1]) ? Reason.ALREADY_LINKED : null;
      if (expected != null) {
        assertThatThrownBy(link::run).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(expected));
        return;
      }
      link.run();
      for (int i = 0; i < some[1]; i++) {
        Unit unit = units[some[0] + i];
        unit.mark = pageMarks[from + i];
        unit.shared = buffer;
        unit.takenBack &= buffer == null;
      }
    }

    private void unlink() {
      int[] some = some();
      boolean hole = false;
      for (int i = some[0]; i < some[0] + some[1]; i++) {
        hole |= units[i].mark == 0 && !units[i].takenBack;
      }
      boolean later = random.nextBoolean();
      Runnable unlink =
          later
              ? () -> window.unlink((long) some[0] * PAGE, (long) some[1] * PAGE, batch)
              : () -> window.unlink((long) some[0] * PAGE, (long) some[1] * PAGE);
      if (hole) {
        assertThatThrownBy(unlink::run).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_LINKED));
        return;
      }
      unlink.run();
      batch.complete();
      for (int i = some[0]; i < some[0] + some[1]; i++) {
        units[i] = new Unit();
      }
    }

    private void protect() {
      int unit = random.nextInt(UNITS);
      if (units[unit].mark == 0 || rig.kind.options.translation() == Translation.NONE) {
        return;
      }
      long at = window.address() + (long) unit * PAGE + 8;
      window.protect((long) unit * PAGE, PAGE, TO_DEVICE);
      assertThat(rig.device.tryWrite(at, new byte[8])).isFalse();
      window.protect((long) unit * PAGE, PAGE, BIDIRECTIONAL);
      assertThat(rig.device.tryWrite(at, new byte[8])).isTrue();
    }

    /** Close the import, whose units stay, and go on with another. */
    private void reattach(Shared buffer) {
      if (!buffer.revoked) {
        buffer.imported.close();
        buffer.imported = buffer.exported.attach(rig.mapper, () -> {});
      }
    }

    private void takeBackOrRestore(Shared buffer) {
      if (buffer.revoked) {
        if (!"bar".equals(buffer.exported.name()) && random.nextBoolean()) {
          MemoryBlock elsewhere = rig.allocate((long) PAGES * PAGE);
          buffer.marks = mark(elsewhere);
          buffer.exported.restore(elsewhere.ranges());
        } else {
          buffer.exported.restore();
        }
        buffer.revoked = false;
        return;
      }
      revocations++;
      assertThat(buffer.exported.revoke().toCompletableFuture()).isCompleted();
      buffer.revoked = true;
      for (Unit unit : units) {
        if (unit.shared == buffer) {
          unit.mark = 0;
          unit.shared = null;
          unit.takenBack = true;
        }
      }
    }

    private void check() {
      for (int i = 0; i < UNITS; i++) {
        byte[] seen = rig.device.tryRead(window.address() + (long) i * PAGE, 8);
        assertThat(seen == null ? 0 : ByteBuffer.wrap(seen).getLong()).as("mark that the device sees at unit %s", i).isEqualTo(units[i].mark);
        assertThat(window.isLinked((long) i * PAGE)).isEqualTo(units[i].mark != 0);
      }
      for (Shared buffer : shared) {
        long linked = Arrays.stream(units).filter(unit -> unit.shared == buffer).count();
        assertThat(buffer.exported.mappings() & Long.MAX_VALUE).as("units of %s", buffer.exported).isEqualTo(linked);
      }
    }

    private void end() {
      window.close();
      batch.close();
      for (Shared buffer : shared) {
        assertThat(buffer.exported.mappings()).isZero();
        buffer.imported.close();
        buffer.exported.close();
      }
      bar.close();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "HOST"})
  @Tag("may-break:device-used-hole+device-used-unlinked+device-used-unmapped+device-used-wrong-direction+link-overlaps")
  @Tag("may-break:overlapping-write+unlink-of-hole")
  void theDeviceSeesWhatIsLinkedAndNothingThatWasTakenBack(Kind kind) {
    Seeds.run(
        20261121 + kind.ordinal(),
        random -> {
          try (Rig rig = new Rig(kind)) {
            new History(random, rig).run();
          }
        });
  }
}
