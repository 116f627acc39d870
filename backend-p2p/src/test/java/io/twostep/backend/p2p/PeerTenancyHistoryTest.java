package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.RangeKind;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Peer memory changes hands at random: pieces are allocated, freed and mapped, and so are bytes that nobody allocated; memory is taken back in the middle of it and published again, and the tree changes under traffic.
 *
 * <p>The device uses every address that it has and, where I/O addresses are translated, every one that it ever had. After each access the whole memory of both providers holds, byte by byte, what its owners know.
 */
class PeerTenancyHistoryTest {
  private static final int PAGE = Rig.PAGE;
  private static final int PAGES = Rig.PEER_BYTES / PAGE;
  private static final int STEPS = 300;
  private static final int REMEMBERED = 32;

  /** One provider's memory, as it is and as it should be. */
  private static final class Provider {
    final ProbeDevice device;
    final byte[] expected;
    final List<PeerBlock> blocks = new ArrayList<>();
    PeerMemory memory;

    Provider(ProbeDevice device, PeerMemory memory) {
      this.device = device;
      this.memory = memory;
      expected = device.memory(0, Rig.PEER_BYTES);
    }

    BitSet allocated() {
      BitSet pages = new BitSet(PAGES);
      blocks.forEach(block -> pages.set(page(block.offset()), page(block.offset() + block.length())));
      return pages;
    }
  }

  private static int page(long offset) {
    return (int) (offset / PAGE);
  }

  /** Pages of a provider that the device was given. */
  private record Live(DmaTransfer transfer, Provider provider, int first, int pages, Entries entries) {
    boolean onBus() {
      return entries.list.getFirst().kind() == RangeKind.BUS_PEER;
    }
  }

  private static final class History {
    private final Random random;
    private final Rig rig;
    private final List<Provider> providers;
    private final List<Live> live = new ArrayList<>();
    private final List<Entries.Entry> stale = new ArrayList<>();
    private boolean redirected;
    private int mapped;
    private int revoked;
    private int refused;

    History(Random random, Rig rig) {
      this.random = random;
      this.rig = rig;
      providers = List.of(new Provider(rig.near, rig.nearMemory), new Provider(rig.behind, rig.behindMemory));
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        Provider provider = providers.get(random.nextInt(2));
        switch (random.nextInt(16)) {
          case 0, 1 -> allocate(provider);
          case 2 -> free(provider);
          case 3, 4, 5, 6 -> map(provider);
          case 7, 8, 9 -> anyLive().ifPresent(this::deviceWrites);
          case 10, 11 -> anyLive().ifPresent(this::unmap);
          case 12, 13 -> deviceUsesWhatItHadOnce();
          case 14 -> changeTree();
          default -> {
            if (random.nextInt(3) == 0) {
              takeBackAndPublishAgain(provider);
            }
          }
        }
        for (Provider each : providers) {
          assertThat(Arrays.mismatch(each.device.memory(0, Rig.PEER_BYTES), each.expected)).as("step %d: first byte of %s that somebody else wrote", step, each.memory).isEqualTo(-1);
        }
      }
      List.copyOf(live).forEach(this::unmap);
      assertThat(new int[] {mapped / 20, revoked, rig.kind.translates ? refused / 5 : 1}).as("requests, memory taken back, accesses refused").doesNotContain(0);
      for (Provider provider : providers) {
        provider.blocks.forEach(PeerBlock::close);
        assertThat(provider.memory.largestFree()).isEqualTo(Rig.PEER_BYTES);
        provider.memory.close();
      }
    }

    private Optional<Live> anyLive() {
      return live.isEmpty() ? Optional.empty() : Optional.of(live.get(random.nextInt(live.size())));
    }

    private BitSet mappedPages(Provider provider) {
      BitSet pages = new BitSet(PAGES);
      live.stream().filter(each -> each.provider == provider).forEach(each -> pages.set(each.first, each.first + each.pages));
      return pages;
    }

    /** What is given out belongs to nobody, and no device has it; it is refused only if no such pages follow each other. */
    private void allocate(Provider provider) {
      int pages = 1 + random.nextInt(6);
      BitSet busy = provider.allocated();
      busy.or(mappedPages(provider));
      int room = 0;
      for (int run = 0, page = 0; page < PAGES; page++) {
        run = busy.get(page) ? 0 : run + 1;
        room = Math.max(room, run);
      }
      if (room < pages) {
        assertThatThrownBy(() -> provider.memory.allocate((long) pages * PAGE)).isInstanceOf(DmaMappingException.class).hasMessageContaining("publish more");
        return;
      }
      PeerBlock block = provider.memory.allocate((long) pages * PAGE);
      assertThat(busy.get(page(block.offset()), page(block.offset()) + pages).isEmpty()).as("%s is given out twice", block).isTrue();
      provider.blocks.add(block);
    }

    private void free(Provider provider) {
      if (!provider.blocks.isEmpty()) {
        PeerBlock block = provider.blocks.get(random.nextInt(provider.blocks.size()));
        if (mappedPages(provider).get(page(block.offset()), page(block.offset() + block.length())).isEmpty()) {
          block.close();
          provider.blocks.remove(block);
        } else {
          assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("unmap");
        }
      }
    }

    /** Map pages that no device has, allocated or not. */
    private void map(Provider provider) {
      int first = random.nextInt(PAGES);
      int pages = 1 + random.nextInt(Math.min(4, PAGES - first));
      if (!mappedPages(provider).get(first, first + pages).isEmpty()) {
        return;
      }
      DmaTransfer transfer = rig.mapper.newTransfer();
      Entries entries = new Entries();
      TestRanges ranges = new TestRanges();
      for (int page = first; page < first + pages; page++) {
        ranges.add(provider.memory.phys() + (long) page * PAGE, PAGE);
      }
      transfer.map(ranges, BIDIRECTIONAL, NONE, entries);
      boolean near = provider == providers.getFirst();
      assertThat(entries.kinds()[0] == RangeKind.BUS_PEER).as("by bus address").isEqualTo(near && !redirected && rig.kind != Kind.UNTRUSTED);
      mapped++;
      live.add(new Live(transfer, provider, first, pages, entries));
    }

    /** Requests by bus address are redirected when the tree changes below them, and go nowhere; whatever arrives is the right place. */
    private void deviceWrites(Live request) {
      byte[] bytes = new byte[request.pages * PAGE];
      random.nextBytes(bytes);
      int at = 0;
      for (Entries.Entry entry : request.entries.list) {
        int length = (int) entry.length();
        boolean arrived = rig.device.tryWrite(entry.dmaAddress(), Arrays.copyOfRange(bytes, at, at + length));
        if (arrived) {
          System.arraycopy(bytes, at, request.provider.expected, request.first * PAGE + at, length);
        }
        assertThat(arrived || request.onBus() && redirected).as("0x%x is mapped", entry.dmaAddress()).isTrue();
        at += length;
      }
    }

    private void unmap(Live request) {
      request.transfer.close();
      live.remove(request);
      if (rig.kind.translates && !request.onBus()) {
        stale.addAll(request.entries.list);
        stale.subList(0, Math.max(0, stale.size() - REMEMBERED)).clear();
      }
    }

    private void deviceUsesWhatItHadOnce() {
      for (Entries.Entry entry : stale) {
        boolean again = live.stream().flatMap(each -> each.entries.list.stream()).anyMatch(each -> overlap(each, entry));
        if (!again) {
          assertThat(rig.device.tryWrite(entry.dmaAddress(), new byte[(int) entry.length()])).as("0x%x is unmapped", entry.dmaAddress()).isFalse();
          refused++;
        }
      }
    }

    private static boolean overlap(Entries.Entry a, Entries.Entry b) {
      return a.dmaAddress() - b.dmaAddress() < b.length() && b.dmaAddress() - a.dmaAddress() < a.length();
    }

    private void changeTree() {
      redirected = !redirected;
      rig.machine.accessControl("0000:02:01.0", redirected ? "rr+cr" : "none");
    }

    /** Translated requests lose the memory at once, others when their driver lets go; then it is somebody else's. */
    private void takeBackAndPublishAgain(Provider provider) {
      List<Live> losers = live.stream().filter(each -> each.provider == provider).toList();
      CompletableFuture<Void> gone = provider.memory.revoke(1L << 50).toCompletableFuture();
      assertThat(gone.isDone()).as("gone at once").isEqualTo(losers.stream().noneMatch(each -> each.onBus() || !rig.kind.translates));
      assertThatThrownBy(() -> rig.mapper.map(provider.memory.phys(), PAGE, BIDIRECTIONAL, NONE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.REVOKED));
      for (Live loser : losers) {
        if (rig.kind.translates && !loser.onBus()) {
          assertThat(rig.device.tryWrite(loser.entries.address(0), new byte[1])).as("0x%x was taken back", loser.entries.address(0)).isFalse();
          refused++;
        }
        unmap(loser);
      }
      assertThat(gone).isCompleted();
      provider.memory.close();
      provider.blocks.clear();
      provider.memory = PeerMemory.publish(rig.seen, provider.memory.provider(), ProbeDevice.MEMORY_BAR, 0, Rig.PEER_BYTES);
      revoked++;
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU", "IOMMU_LAZY", "UNTRUSTED", "HOST"})
  @Tag("may-break:device-used-unknown-address+device-used-unmapped")
  void memoryIsItsOwnersAloneHoweverItChangesHands(Kind kind) {
    for (int history = 0; history < 4; history++) {
      Seeds.run(
          20_261_130L + 10L * history + kind.ordinal(),
          random -> {
            try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "seed", Integer.toString(random.nextInt(1 << 20)))) {
              new History(random, rig).run();
            }
          });
    }
  }
}
