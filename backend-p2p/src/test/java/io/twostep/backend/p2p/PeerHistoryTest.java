package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random requests that mix host memory, near peers and peers behind the host bridge, while the tree changes: every byte that the device moves is compared with an oracle that
 * knows pages only.
 */
class PeerHistoryTest {
  private static final int PAGE = Rig.PAGE;
  private static final int PAGES = 24;
  private static final int STEPS = 1500;

  /** A page that requests may use: host memory or a peer's, with the bytes it must have. */
  private static final class Page {
    final long phys;
    final boolean near;
    final boolean peer;
    final byte[] expected = new byte[PAGE];
    boolean busy;

    Page(long phys, boolean near, boolean peer) {
      this.phys = phys;
      this.near = near;
      this.peer = peer;
    }
  }

  private record Part(Page page, int from, int length) {
    @Override
    public String toString() {
      return (page.peer ? page.near ? "near" : "behind" : "host") + " 0x%x+0x%x".formatted(page.phys + from, length);
    }
  }

  /** A request that is mapped. */
  private record Live(DmaTransfer transfer, List<Part> parts, Entries entries) {
    @Override
    public String toString() {
      return parts + " mapped as " + entries.list;
    }

    int bytes() {
      return parts.stream().mapToInt(Part::length).sum();
    }
  }

  private static final class History {
    final Random random;
    final Rig rig;
    final List<Page> pages = new ArrayList<>();
    final List<Live> live = new ArrayList<>();
    final List<DmaTransfer> idle = new ArrayList<>();
    final MemoryBlock block;
    boolean redirected;
    int mapped;

    History(Random random, Rig rig) {
      this.random = random;
      this.rig = rig;
      block = rig.allocate((long) PAGES * PAGE);
      for (int i = 0; i < PAGES; i++) {
        pages.add(new Page(block.phys((long) i * PAGE), false, false));
      }
      for (int i = 0; i < PAGES; i++) {
        PeerBlock near = rig.nearMemory.allocate(PAGE);
        PeerBlock behind = rig.behindMemory.allocate(PAGE);
        pages.add(new Page(near.phys(), true, true));
        pages.add(new Page(behind.phys(), false, true));
      }
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        switch (random.nextInt(10)) {
          case 0, 1, 2 -> map();
          case 3, 4 -> live().ifPresent(this::deviceWrites);
          case 5 -> live().ifPresent(this::deviceReads);
          case 6 -> live().ifPresent(this::cpuWrites);
          case 7, 8 -> live().ifPresent(this::unmap);
          default -> {
            if (live.isEmpty()) {
              redirected = !redirected;
              rig.machine.accessControl("0000:02:01.0", redirected ? "rr+cr" : "none");
            }
          }
        }
      }
      new ArrayList<>(live).forEach(this::unmap);
      idle.forEach(DmaTransfer::close);
      assertThat(mapped).as("requests that were mapped").isGreaterThan(STEPS / 10);
    }

    private java.util.Optional<Live> live() {
      return live.isEmpty() ? java.util.Optional.empty() : java.util.Optional.of(live.get(random.nextInt(live.size())));
    }

    private boolean isBus(Page page) {
      return page.near && !redirected && rig.kind != Kind.UNTRUSTED;
    }

    private void map() {
      List<Part> parts = new ArrayList<>();
      boolean whole = rig.kind == Kind.UNTRUSTED || random.nextBoolean();
      for (int n = 1 + random.nextInt(8); n > 0; n--) {
        Page page = pages.get(random.nextInt(pages.size()));
        if (!page.busy) {
          int from = whole ? 0 : random.nextInt(64) * 8;
          int length = whole ? PAGE : 8 + random.nextInt((PAGE - from) / 8 - 1) * 8;
          parts.add(new Part(page, from, length));
          page.busy = true;
        }
      }
      if (parts.isEmpty()) {
        return;
      }
      TestRanges ranges = new TestRanges();
      parts.forEach(part -> ranges.add(part.page.phys + part.from, part.length));
      DmaTransfer transfer = idle.isEmpty() ? rig.mapper.newTransfer() : idle.removeLast();
      Entries entries = new Entries();
      rig.counting.clear();
      // Some call below fails now and then; nothing must be left of the request.
      rig.counting.failIn = random.nextInt(6) == 0 ? 1 + random.nextInt(4) : 0;
      String before = rig.kind == Kind.IOMMU_LAZY ? "" : rig.accounts();
      try {
        transfer.map(ranges, BIDIRECTIONAL, NONE, entries);
      } catch (DmaMappingException e) {
        assertThat(e.reason()).isEqualTo(Reason.BACKEND);
        parts.forEach(part -> part.page.busy = false);
        idle.add(transfer);
        assertThat(rig.kind == Kind.IOMMU_LAZY ? "" : rig.accounts()).isEqualTo(before);
        return;
      } finally {
        rig.counting.failIn = 0;
      }
      mapped++;
      assertThat(rig.counting.reserves).isLessThanOrEqualTo(1);
      assertThat(rig.counting.publishes).isLessThanOrEqualTo(1);
      Live request = new Live(transfer, parts, entries);
      assertThat(entries.list.stream().mapToLong(Entries.Entry::length).sum()).isEqualTo(request.bytes());
      if (whole && (rig.kind == Kind.IOMMU || rig.kind == Kind.IOMMU_LAZY)) {
        assertThat(entries.list).hasSize(entriesOfWholePages(parts));
      }
      Set<Integer> kinds = new HashSet<>(Arrays.stream(entries.kinds()).boxed().toList());
      assertThat(kinds.contains(RangeKind.BUS_PEER)).isEqualTo(parts.stream().anyMatch(part -> isBus(part.page)));
      live.add(request);
    }

    /** Pages in a window are one entry until a bus address comes between; bus addresses are one entry each, unless they follow each other. */
    private int entriesOfWholePages(List<Part> parts) {
      int count = 0;
      for (int i = 0; i < parts.size(); i++) {
        boolean bus = isBus(parts.get(i).page);
        boolean follows = i > 0 && bus == isBus(parts.get(i - 1).page);
        boolean joined = follows && (!bus || parts.get(i - 1).page.phys + PAGE == parts.get(i).page.phys);
        count += joined ? 0 : 1;
      }
      return count;
    }

    private void deviceWrites(Live request) {
      byte[] bytes = new byte[request.bytes()];
      random.nextBytes(bytes);
      int at = 0;
      for (Entries.Entry entry : request.entries.list) {
        assertThat(rig.device.tryWrite(entry.dmaAddress(), Arrays.copyOfRange(bytes, at, at + (int) entry.length()))).isTrue();
        at += (int) entry.length();
      }
      at = 0;
      for (Part part : request.parts) {
        System.arraycopy(bytes, at, part.page.expected, part.from, part.length);
        at += part.length;
      }
      request.transfer.syncForCpu(0, request.bytes());
      check(request);
      request.transfer.syncForDevice(0, request.bytes());
    }

    private void deviceReads(Live request) {
      byte[] seen = new byte[request.bytes()];
      int at = 0;
      for (Entries.Entry entry : request.entries.list) {
        byte[] part = rig.device.tryRead(entry.dmaAddress(), (int) entry.length());
        assertThat(part).as("read of 0x%x", entry.dmaAddress()).isNotNull();
        System.arraycopy(part, 0, seen, at, part.length);
        at += part.length;
      }
      at = 0;
      for (Part part : request.parts) {
        int wrong = Arrays.mismatch(seen, at, at + part.length, part.page.expected, part.from, part.from + part.length);
        assertThat(wrong).as("first byte that the device saw wrong of %s in %s", part, request).isEqualTo(-1);
        at += part.length;
      }
    }

    private void cpuWrites(Live request) {
      request.transfer.syncForCpu(0, request.bytes());
      for (Part part : request.parts) {
        byte[] bytes = new byte[part.length];
        random.nextBytes(bytes);
        System.arraycopy(bytes, 0, part.page.expected, part.from, part.length);
        rig.machine.memory().write(part.page.phys + part.from, java.lang.foreign.MemorySegment.ofArray(bytes), 0, part.length);
      }
      request.transfer.syncForDevice(0, request.bytes());
    }

    private void check(Live request) {
      for (Part part : request.parts) {
        byte[] bytes = new byte[PAGE];
        rig.machine.memory().read(part.page.phys, java.lang.foreign.MemorySegment.ofArray(bytes), 0, PAGE);
        assertThat(Arrays.mismatch(bytes, part.page.expected)).as("first wrong byte of %s in %s", part, request).isEqualTo(-1);
      }
    }

    private void unmap(Live request) {
      if (random.nextBoolean()) {
        request.transfer.unmap();
      } else {
        try (InvalidationBatch batch = rig.mapper.newBatch()) {
          request.transfer.unmap(batch);
        }
      }
      check(request);
      if (rig.kind.translates && rig.kind != Kind.IOMMU_LAZY) {
        for (Entries.Entry entry : request.entries.list) {
          if (entry.kind() != RangeKind.BUS_PEER) {
            assertThat(rig.device.tryRead(entry.dmaAddress(), 1)).as("reachable after unmap").isNull();
          }
        }
      }
      request.parts.forEach(part -> part.page.busy = false);
      live.remove(request);
      idle.add(request.transfer);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  @Tag("may-break:device-used-unmapped")
  void randomRequestsMoveTheBytesTheyName(Kind kind) {
    Seeds.run(
        20_261_121L + kind.ordinal(),
        random -> {
          try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "seed", Integer.toString(random.nextInt(1 << 20)))) {
            new History(random, rig).run();
          }
        });
  }
}
