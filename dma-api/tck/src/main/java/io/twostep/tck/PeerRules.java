package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E14: memory of another device, published by its driver, reached by this one, and taken back. */
public interface PeerRules extends TckFixture {
  /** Why a test of peers has nothing to prove. */
  String UNREACHABLE = "the stack declares no way to peers, so that there is nothing to prove";

  /** One entry of a request. */
  record Entry(long dmaAddress, long length, int kind) {}

  /** Tell whether the device reaches the provider at all. */
  private boolean reaches() {
    return onTheBus() || has(Behavior.REACHES_PEERS_THROUGH_THE_HOST);
  }

  private boolean onTheBus() {
    return has(Behavior.REACHES_PEERS_ON_THE_BUS);
  }

  /** Tell whether the IOMMU stands between the device and the provider. */
  private boolean translated() {
    return has(Behavior.TRANSLATES) && !onTheBus();
  }

  private static PeerMemory publish(TckRig rig, ProbeDevice provider, TckSetup setup) {
    return PeerMemory.publish(rig.machine(), rig.plug(provider, setup.device()), ProbeDevice.MEMORY_BAR, 0, provider.memoryLength());
  }

  /** The piece that is mapped: whole granules, frames and cache lines. */
  private long piece() {
    return Math.max(4096, granuleOf(rig()));
  }

  /** E14a. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e14aPublishedMemoryIsReachedOrRefused() {
    long piece = piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece * 4);
    try (PeerMemory peer = publish(rig(), provider, setup())) {
      if (!reaches()) {
        refuses(Reason.PEER_UNREACHABLE, () -> rig().mapper().map(peer.phys(), piece, DmaDirection.BIDIRECTIONAL, 0));
        return;
      }
      try (DmaMapping mapping = rig().mapper().map(peer.phys() + piece, piece, DmaDirection.BIDIRECTIONAL, 0)) {
        long address = mapping.dmaAddress();
        byte[] written = Bytes.random(500, 1);
        rig().device().write(address + 8, written);
        assertThat(provider.memory(piece + 8, 500)).as("what the provider has").isEqualTo(written);
        provider.put(piece + 64, Bytes.random(64, 2));
        assertThat(rig().device().read(address + 64, 64)).as("what the device reads of the provider").isEqualTo(Bytes.random(64, 2));
        assertThat(peer.pins()).as("mappings that hold the memory").isEqualTo(1);
        if (onTheBus()) {
          assertThat(address).as("the bus address").isEqualTo(peer.range().busAddress() + piece);
        }
        mapping.unmap();
        rig().mapper().awaitQuiescence();
        assertThat(peer.pins()).as("mappings that hold the memory after unmap").isZero();
        if (translated()) {
          rig().device().requireRefused(address, "the peer's memory was unmapped");
        }
      }
    }
  }

  /** E14b. */
  @Test
  default void e14bMixedRequestsHaveTheEntriesOfTheirMapType() {
    int piece = (int) piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece);
    MemoryBlock block = rig().memory(3L * piece);
    try (PeerMemory peer = publish(rig(), provider, setup());
        DmaTransfer transfer = rig().mapper().newTransfer()) {
      Ranges source = new Ranges().add(block.phys(0), piece).add(peer.phys(), piece).add(block.phys(2L * piece), piece);
      List<Entry> entries = new ArrayList<>();
      if (!reaches()) {
        refuses(
            Reason.PEER_UNREACHABLE,
            () -> transfer.map(source, DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> entries.add(new Entry(address, length, kind))));
        assertThat(entries).as("entries of a request that was refused").isEmpty();
        assertThat(peer.pins() + rig().mapper().liveMappings()).as("what it left mapped").isZero();
        return;
      }
      transfer.map(source, DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> entries.add(new Entry(address, length, kind)));
      if (translated()) {
        assertThat(entries).extracting(Entry::kind).as("one window, in which the peer is like memory").containsExactly(RangeKind.LOCAL);
      } else {
        int kind = onTheBus() ? RangeKind.BUS_PEER : RangeKind.BRIDGE_PEER;
        assertThat(entries).extracting(Entry::kind).containsExactly(RangeKind.LOCAL, kind, RangeKind.LOCAL);
      }
      byte[] written = Bytes.random(3 * piece, 4);
      int at = 0;
      for (Entry entry : entries) {
        rig().device().write(entry.dmaAddress(), Arrays.copyOfRange(written, at, at + (int) entry.length()));
        at += (int) entry.length();
      }
      assertThat(at).as("bytes of all entries").isEqualTo(3 * piece);
      transfer.unmap();
      assertThat(Bytes.of(block, 0, piece)).as("the first range").isEqualTo(Arrays.copyOfRange(written, 0, piece));
      assertThat(provider.memory(0, piece)).as("the peer's range").isEqualTo(Arrays.copyOfRange(written, piece, 2 * piece));
      assertThat(Bytes.of(block, 2L * piece, piece)).as("the last range").isEqualTo(Arrays.copyOfRange(written, 2 * piece, 3 * piece));
    }
  }

  /** E14c. */
  @Test
  @Tag("breaks:bus-address-linked")
  default void e14cBusAddressesAreNotLinked() {
    needs(Behavior.TRANSLATES);
    assumeTrue(reaches(), UNREACHABLE);
    long piece = piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece);
    try (PeerMemory peer = publish(rig(), provider, setup());
        IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(peer.phys(), piece, DmaDirection.BIDIRECTIONAL, 0);
      if (onTheBus()) {
        refuses(Reason.BUS_ADDRESS, () -> window.link(0, peer.phys(), piece));
      } else {
        window.link(0, peer.phys(), piece);
        window.sync(0, piece);
        byte[] written = Bytes.random(64, 3);
        rig().device().write(window.address(), written);
        assertThat(provider.memory(0, 64)).isEqualTo(written);
      }
      window.destroy();
      assertThat(peer.pins()).isZero();
    }
  }

  /** E14d. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e14dWhatIsTakenBackIsOutOfReachOrHeldUntilItIsLetGo() {
    assumeTrue(reaches(), UNREACHABLE);
    long piece = piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece * 2);
    MemoryBlock block = rig().memory(2 * piece);
    try (PeerMemory peer = publish(rig(), provider, setup());
        DmaMapping other = rig().map(block, piece, piece, DmaDirection.BIDIRECTIONAL)) {
      DmaMapping mapping = rig().mapper().map(peer.phys(), piece, DmaDirection.BIDIRECTIONAL, 0);
      DmaTransfer transfer = rig().mapper().newTransfer();
      List<Entry> entries = new ArrayList<>();
      Ranges source = new Ranges().add(block.phys(0), piece).add(peer.phys() + piece, piece);
      transfer.map(source, DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> entries.add(new Entry(address, length, kind)));
      AtomicInteger told = new AtomicInteger();
      mapping.onRevoke(told::incrementAndGet);
      transfer.onRevoke(told::incrementAndGet);
      other.onRevoke(told::incrementAndGet);
      long address = mapping.dmaAddress();
      byte[] written = Bytes.random(64, 5);
      rig().device().write(address, written);

      CompletableFuture<Void> revoked = peer.revoke().toCompletableFuture();
      assertThat(told).as("handles that were told, and no other").hasValue(2);
      assertThat(revoked.isDone()).as("whether the memory is the provider's again at once").isEqualTo(translated());
      if (translated()) {
        rig().device().requireRefused(address, "its owner took it back");
        rig().device().requireRefused(entries.getFirst().dmaAddress(), "its request lost a part");
        assertThat(provider.memory(0, 64)).as("the provider's bytes").isEqualTo(written);
      }
      assertThat(rig().device().tryWrite(other.dmaAddress(), written)).as("what has no part in it goes on").isTrue();
      refuses(Reason.REVOKED, () -> mapping.syncForCpu(0, 1));
      refuses(Reason.REVOKED, () -> transfer.syncForDevice(0, 1));
      refuses(Reason.REVOKED, () -> rig().mapper().map(peer.phys(), piece, DmaDirection.BIDIRECTIONAL, 0));
      mapping.close();
      transfer.close();
      assertThat(revoked).as("the memory once its importers let go").isCompleted();
      assertThat(peer.pins()).isZero();
    }
  }

  /** E14e. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e14eAnImporterThatDoesNotLetGoIsStopped() {
    assumeTrue(reaches(), UNREACHABLE);
    long piece = piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece);
    MemoryBlock block = rig().memory(4 * piece);
    try (PeerMemory peer = publish(rig(), provider, setup())) {
      DmaMapper bystander = rig().attach(peer.provider());
      DmaMapping others = bystander.map(block.phys(2 * piece), 2 * piece, DmaDirection.BIDIRECTIONAL, 0);
      DmaMapping mapping = rig().mapper().map(peer.phys(), piece, DmaDirection.BIDIRECTIONAL, 0);
      DmaMapping local = rig().map(block, 0, 2 * piece, DmaDirection.FROM_DEVICE);
      long address = mapping.dmaAddress();
      byte[] written = Bytes.random((int) piece, 21);
      rig().device().write(local.dmaAddress() + piece / 2, written);
      CompletableFuture<Void> revoked = peer.revoke(1_000_000).toCompletableFuture();
      for (int i = 0; i < 100_000 && !revoked.isDone(); i++) {
        rig().machine().timers().pause();
      }
      assertThat(revoked).as("the memory after the deadline").isCompleted();
      assertThat(rig().device().tryWrite(address, new byte[64])).as("an importer that keeps what was taken back writes").isFalse();
      mapping.close();
      local.close();
      assertThat(peer.pins() + rig().mapper().liveMappings()).isZero();
      assertThat(Bytes.of(block, piece / 2, piece)).as("what the device that was stopped wrote to memory of its own before").isEqualTo(written);

      provider.write(others.dmaAddress(), written);
      assertThat(provider.read(others.dmaAddress() + piece, (int) piece)).as("what another device reads meanwhile").isEqualTo(Bytes.of(block, 3 * piece, piece));
      others.close();
      assertThat(Bytes.of(block, 2 * piece, piece)).as("what another device wrote meanwhile").isEqualTo(written);
    }
  }

  /** E14g. */
  @Test
  @Tag("breaks:device-used-unknown-address+device-used-unmapped")
  default void e14gProviderThatVanishesTakesItsRequestsWithItAndNoOthers() {
    assumeTrue(reaches(), UNREACHABLE);
    int piece = (int) piece();
    ProbeDevice provider = ProbeDevice.withMemory(2L * piece);
    MemoryBlock block = rig().memory(8L * piece);
    byte[] expected = Bytes.of(block, 0, block.length());
    PeerMemory peer = publish(rig(), provider, setup());
    DmaMapping other = rig().map(block, 6L * piece, 2L * piece, DmaDirection.BIDIRECTIONAL);
    DmaTransfer underWay = rig().mapper().newTransfer();
    List<Entry> entries = new ArrayList<>();
    underWay.map(
        new Ranges().add(block.phys(0), piece).add(peer.phys(), piece).add(block.phys(2L * piece), piece),
        DmaDirection.FROM_DEVICE,
        0,
        (address, length, kind) -> entries.add(new Entry(address, length, kind)));
    long peerAddress = translated() ? entries.getFirst().dmaAddress() + piece : entries.get(1).dmaAddress();
    DmaTransfer beingMapped = rig().mapper().newTransfer();
    byte[] written = Bytes.random(piece, 31);
    rig().device().write(entries.getFirst().dmaAddress(), written);
    System.arraycopy(written, 0, expected, 0, piece);
    long held = rig().machine().bytesHeld();

    Ranges alsoPeers = new Ranges().add(block.phys(3L * piece), piece).add(peer.phys() + piece, piece);
    try {
      beingMapped.map(
          alsoPeers,
          DmaDirection.FROM_DEVICE,
          0,
          (address, length, kind) -> {
            if (!peer.isRevoked()) {
              rig().machine().unplug(peer.provider());
            }
            return true;
          });
    } catch (DmaMappingException e) {
      assertThat(e.reason()).as(e.getMessage()).isIn(Reason.REVOKED, Reason.PEER_UNREACHABLE);
    }
    assertThat(rig().device().tryWrite(peerAddress, new byte[64])).as("a write to a device that is gone").isFalse();
    rig().device().write(other.dmaAddress() + piece / 2, written);
    System.arraycopy(written, 0, expected, 6 * piece + piece / 2, piece);
    assertThat(rig().device().read(other.dmaAddress(), piece / 2)).as("what is read of a request that has no part in it").isEqualTo(Bytes.of(block, 6L * piece, piece / 2));
    refuses(Reason.REVOKED, () -> underWay.syncForCpu(0, 1));
    underWay.close();
    beingMapped.close();
    other.close();
    assertThat(Bytes.of(block, 0, block.length())).as("host memory of all requests").isEqualTo(expected);
    assertThat(peer.pins() + rig().mapper().liveMappings()).as("what holds the memory of a device that is gone").isZero();
    assertThat(rig().machine().bytesHeld()).as("bytes held").isLessThanOrEqualTo(held);
    peer.close();
    rig().map(block, 0, piece, DmaDirection.TO_DEVICE).close();
  }

  /** E14f. */
  @Test
  default void e14fUntrustedDevicesGetNoBusAddress() {
    needs(Behavior.REACHES_PEERS_ON_THE_BUS, Behavior.SERVES_UNTRUSTED);
    TckSetup stranger = setup().withDevice(setup().device().withTrusted(false));
    TckRig rig = open(stranger);
    long piece = piece();
    ProbeDevice provider = ProbeDevice.withMemory(piece);
    try (PeerMemory peer = publish(rig, provider, stranger);
        DmaTransfer transfer = rig.mapper().newTransfer()) {
      List<Entry> entries = new ArrayList<>();
      try {
        transfer.map(
            new Ranges().add(peer.phys(), piece),
            DmaDirection.FROM_DEVICE,
            0,
            (address, length, kind) -> entries.add(new Entry(address, length, kind)));
      } catch (DmaMappingException e) {
        assertThat(e.reason()).as(e.getMessage()).isEqualTo(Reason.PEER_UNREACHABLE);
        return;
      }
      assertThat(entries).extracting(Entry::kind).as("the way of a device that is not trusted").doesNotContain(RangeKind.BUS_PEER);
      assertThat(entries).extracting(Entry::dmaAddress).doesNotContain(peer.range().busAddress());
    }
  }

  private static void refuses(Reason reason, ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason));
  }
}
