package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.HcaModelConfig;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachinePlugin;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Two drivers, two adapters, two machines with their IOMMUs, one wire. */
class HcaTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_ATOMIC;
  private static final WireFaults BAD = new WireFaults(0.03, 0.03, 0.05, 0.01, 0.01);
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;
  private static final int PAGE = 4096;
  private static final int PAGES = 16;
  private static final int SIZE = PAGES * PAGE;
  private static final Connection SMALL = new Connection(1024, 8, 7, 7, 1, 4);

  @Test
  void bytesMoveBetweenTwoMachinesThroughTheirIommusOverABadWire() {
    try (TwoHosts hosts = new TwoHosts(BAD)) {
      hosts.connect(SMALL);
      MemoryBlock near = random(hosts.near, 1);
      MemoryBlock far = random(hosts.far, 2);
      byte[] farBefore = bytes(far);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      byte[] model = farBefore.clone();
      byte[] source = bytes(near);
      hosts.near.pair().postWrite(1, nearKey, NEAR + 5, 30_001, farKey.key(), FAR + 777);
      System.arraycopy(source, 5, model, 777, 30_001);
      hosts.near.pair().postRead(2, nearKey, NEAR + 40_000, 9_000, farKey.key(), FAR + 20_003);
      System.arraycopy(model, 20_003, source, 40_000, 9_000);
      hosts.far.pair().postReceive(9, farKey, FAR + 50_000, 5_000);
      hosts.near.pair().postSend(3, nearKey, NEAR + 10, 4_999);
      System.arraycopy(source, 10, model, 50_000, 4_999);
      hosts.await(hosts.near, 3);
      hosts.await(hosts.far, 1);
      assertThat(hosts.near.done).extracting(Done::status).as(seed()).containsOnly(CompletionStatus.SUCCESS);
      assertThat(hosts.far.done).containsExactly(new Done(9, true, CompletionStatus.SUCCESS, 0, 4_999));
      assertThat(bytes(far)).as(seed()).isEqualTo(model);
      assertThat(bytes(near)).as(seed()).isEqualTo(source);
    }
  }

  @Test
  void atomicsOverABadWireCountEachRequestOnce() {
    try (TwoHosts hosts = new TwoHosts(BAD)) {
      hosts.connect(SMALL);
      MemoryBlock near = hosts.near.memory(PAGE);
      MemoryBlock far = hosts.far.memory(PAGE);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      for (int i = 0; i < 50; i++) {
        assertThat(hosts.near.pair().postFetchAdd(i, nearKey, NEAR + 8L * i, farKey.key(), FAR + 64, 3)).isTrue();
      }
      hosts.near.pair().postCompareSwap(50, nearKey, NEAR + 400, farKey.key(), FAR + 64, 150, 7);
      hosts.await(hosts.near, 51);
      for (int i = 0; i <= 50; i++) {
        assertThat(near.segment().get(ValueLayout.JAVA_LONG, 8L * i)).as(seed()).isEqualTo(3L * i);
      }
      assertThat(far.segment().get(ValueLayout.JAVA_LONG, 64)).as(seed()).isEqualTo(7);
    }
  }

  @Test
  void absentPagesOnBothSidesAreFaultedInAndZappedOnesFaultAgain() {
    try (TwoHosts hosts = new TwoHosts(BAD);
        Paged near = new Paged(hosts.near, NEAR, 3);
        Paged far = new Paged(hosts.far, FAR, 4)) {
      hosts.connect(SMALL);
      byte[] model = bytes(far.memory);
      for (int round = 0; round < 3; round++) {
        byte[] source = bytes(near.memory);
        hosts.near.pair().postWrite(2 * round, near.key, NEAR + 100, 20_000, far.key.key(), FAR + 3_000);
        System.arraycopy(source, 100, model, 3_000, 20_000);
        hosts.near.pair().postRead(2 * round + 1, near.key, NEAR + 30_000, 20_000, far.key.key(), FAR + 1_000);
        System.arraycopy(model, 1_000, source, 30_000, 20_000);
        hosts.await(hosts.near, 2 * round + 2);
        assertThat(hosts.near.done).extracting(Done::status).as(seed()).containsOnly(CompletionStatus.SUCCESS);
        assertThat(bytes(far.memory)).as(seed()).isEqualTo(model);
        assertThat(bytes(near.memory)).as(seed()).isEqualTo(source);
        near.unlinkAll();
        far.unlinkAll();
      }
      assertThat(near.faults).isGreaterThanOrEqualTo(3);
      assertThat(far.faults).isGreaterThanOrEqualTo(3);
    }
  }

  @Test
  void pageThatCannotBeHadFailsTheRequestAndMovesNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Paged far = new Paged(hosts.far, FAR, 4)) {
      hosts.connect(SMALL);
      far.refuses = true;
      MemoryKey nearKey = hosts.near.register(random(hosts.near, 1), NEAR, ALL);
      byte[] before = bytes(far.memory);
      hosts.near.pair().postWrite(1, nearKey, NEAR, 100, far.key.key(), FAR);
      hosts.await(hosts.near, 1);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
      assertThat(bytes(far.memory)).isEqualTo(before);
    }
  }

  /** What a hostile or mistaken peer may ask for. */
  private record Bad(String name, int access, int keyChange, long addressChange, boolean otherDomain) {}

  @Test
  void requestsThatAKeyDoesNotPermitEndWithRemoteAccessAndMoveNothing() {
    List<Bad> all =
        List.of(
            new Bad("variant", ALL, 1, 0, false),
            new Bad("index", ALL, 0x4000, 0, false),
            new Bad("below", ALL, 0, -1, false),
            new Bad("beyond", ALL, 0, SIZE - 99, false),
            new Bad("wraps", ALL, 0, -FAR - 1, false),
            new Bad("no right", AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_READ, 0, 0, false),
            new Bad("domain", ALL, 0, 0, true));
    for (Bad bad : all) {
      try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
          ProtectionDomain other = hosts.far.hca().newDomain()) {
        hosts.connect(SMALL);
        MemoryBlock far = random(hosts.far, 5);
        byte[] before = bytes(far);
        MemoryKey nearKey = hosts.near.register(random(hosts.near, 6), NEAR, ALL);
        try (MemoryKey farKey = hosts.far.hca().register(bad.otherDomain ? other : hosts.far.domain(), FAR, hosts.far.ranges(far), bad.access)) {
          hosts.near.pair().postWrite(1, nearKey, NEAR, 100, farKey.key() + bad.keyChange, FAR + bad.addressChange);
          hosts.near.pair().postWrite(2, nearKey, NEAR, 100, farKey.key(), FAR);
          hosts.await(hosts.near, 2);
          assertThat(hosts.near.done)
              .as(bad.name)
              .extracting(Done::status)
              .containsExactly(CompletionStatus.REMOTE_ACCESS, CompletionStatus.FLUSHED);
          assertThat(bytes(far)).as(bad.name).isEqualTo(before);
        }
      }
    }
  }

  @Test
  void localKeyThatDoesNotPermitTheAccessFailsTheRequestBeforeAnythingMoves() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock near = random(hosts.near, 1);
      byte[] before = bytes(near);
      MemoryKey readOnly = hosts.near.register(near, NEAR, AccessFlags.REMOTE_READ);
      MemoryKey farKey = hosts.far.register(random(hosts.far, 2), FAR, ALL);
      hosts.near.pair().postRead(1, readOnly, NEAR, 100, farKey.key(), FAR);
      hosts.await(hosts.near, 1);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.LOCAL_PROTECTION);
      assertThat(bytes(near)).isEqualTo(before);
    }
  }

  @Test
  void keyThatAPeerInvalidatedOrItsOwnerClosedPermitsNothingMore() {
    for (boolean remotely : new boolean[] {true, false}) {
      try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
        hosts.connect(SMALL);
        MemoryKey nearKey = hosts.near.register(random(hosts.near, 1), NEAR, ALL);
        MemoryKey farKey = hosts.far.register(random(hosts.far, 2), FAR, ALL | AccessFlags.REMOTE_INVALIDATE);
        MemoryKey inbox = hosts.far.register(hosts.far.memory(PAGE), FAR, ALL);
        if (remotely) {
          hosts.far.pair().postReceive(7, inbox, FAR, 100);
          hosts.near.pair().postSendInvalidate(1, nearKey, NEAR, 8, farKey.key());
          hosts.await(hosts.far, 1);
          assertThat(hosts.far.done).containsExactly(new Done(7, true, CompletionStatus.SUCCESS, farKey.key(), 8));
          hosts.await(hosts.near, 1);
        } else {
          farKey.close();
        }
        hosts.near.done.clear();
        hosts.near.pair().postRead(2, nearKey, NEAR, 8, farKey.key(), FAR);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_ACCESS);
      }
    }
  }

  @Test
  void localKeyNamesWhateverIsMappedByItsDmaAddressAndPeersCanDoNothingWithIt() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock near = random(hosts.near, 1);
      MemoryBlock far = random(hosts.far, 2);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      try (MemoryKey local = hosts.near.hca().newLocalKey(hosts.near.domain());
          MemoryKey theirs = hosts.far.hca().newLocalKey(hosts.far.domain());
          DmaTransfer transfer = hosts.near.mapper().newTransfer()) {
        transfer.map(near.ranges(), DmaDirection.TO_DEVICE, 0, (dmaAddress, length, kind) -> true);
        hosts.near.pair().postWrite(1, local, transfer.dmaAddress() + 3, 20_000, farKey.key(), FAR + 7);
        hosts.near.pair().postWrite(2, local, transfer.dmaAddress(), 8, theirs.key(), FAR);
        hosts.await(hosts.near, 2);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
        assertThat(Arrays.copyOfRange(bytes(far), 7, 20_007)).isEqualTo(Arrays.copyOfRange(bytes(near), 3, 20_003));
      }
    }
  }

  @Test
  void peersInvalidateNoKeyThatDoesNotPermitIt() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(random(hosts.near, 1), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(random(hosts.far, 2), FAR, ALL);
      hosts.far.pair().postReceive(7, farKey, FAR, 100);
      hosts.near.pair().postSendInvalidate(1, nearKey, NEAR, 8, farKey.key());
      hosts.await(hosts.far, 1);
      hosts.await(hosts.near, 1);
      assertThat(hosts.far.done).extracting(Done::status).containsExactly(CompletionStatus.LOCAL_ACCESS);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_ACCESS);
    }
  }

  @Test
  void fullQueueRefusesAndFailedOneFlushes() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(random(hosts.near, 1), NEAR, ALL);
      for (int i = 0; i < TwoHosts.DEPTH; i++) {
        assertThat(hosts.near.pair().postReceive(i, nearKey, NEAR, 8)).isTrue();
      }
      assertThat(hosts.near.pair().postReceive(99, nearKey, NEAR, 8)).isFalse();
      hosts.near.pair().fail();
      hosts.await(hosts.near, TwoHosts.DEPTH);
      assertThat(hosts.near.done).extracting(Done::status).containsOnly(CompletionStatus.FLUSHED);
      assertThat(hosts.near.pair().postReceive(99, nearKey, NEAR, 8)).isTrue();
    }
  }

  @Test
  void adapterThatDoesNotReachMemoryItselfIsRefused() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      HcaModel model = new HcaModel(new Wire(WireFaults.NONE, 1).end(0), new HcaModelConfig(false, 0));
      DeviceSlot slot = hosts.near.machine.plug(new DeviceAddress("0000:02:00.0"), model, SlotOptions.DEFAULT);
      DriverContext context = DriverContext.of(hosts.near.machine, slot, hosts.near.stack, Settings.defaults(new ModelMachinePlugin()));
      assertThatExceptionOfType(HcaException.class).isThrownBy(() -> Hca.open(context, HcaConfig.DEFAULT)).withMessageContaining("0000:02:00.0").withMessageContaining("DMA");
    }
  }

  static MemoryBlock random(Host host, int salt) {
    MemoryBlock block = host.memory(SIZE);
    byte[] bytes = new byte[SIZE];
    new SplittableRandom(Seeds.SEED + salt).nextBytes(bytes);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, block.segment(), 0, SIZE);
    return block;
  }

  private static byte[] bytes(MemoryBlock block) {
    return block.segment().toArray(ValueLayout.JAVA_BYTE);
  }

  private static String seed() {
    return "-Dtwostep.seed=" + Seeds.SEED;
  }

  /** Memory whose pages are linked into a window when the adapter asks for them, for reading only as long as it only reads. */
  private static final class Paged implements AutoCloseable {
    final Host host;
    final long start;
    final MemoryBlock memory;
    final SparseWindow window;
    final OnDemandKey key;
    final List<Long> linked = new ArrayList<>();
    int faults;
    boolean refuses;

    Paged(Host host, long start, int salt) {
      this.host = host;
      this.start = start;
      memory = random(host, salt);
      window = host.mapper().newWindow(SIZE, PAGE, DmaDirection.BIDIRECTIONAL, 0);
      key = host.hca().registerOnDemand(host.domain(), start, SIZE, ALL, this::fault);
    }

    private boolean fault(long address, long demanded, long length, boolean write) {
      faults++;
      if (refuses) {
        return false;
      }
      for (long offset = (address - start) & -PAGE; offset < Math.min(SIZE, address - start + length); offset += PAGE) {
        DmaDirection access = write ? DmaDirection.BIDIRECTIONAL : DmaDirection.TO_DEVICE;
        if (linked.contains(offset)) {
          window.protect(offset, PAGE, access);
        } else {
          window.link(offset, memory.phys(offset), PAGE, access);
          linked.add(offset);
        }
        key.set(offset, PAGE, window.address() + offset, access);
      }
      key.commit();
      return true;
    }

    void unlinkAll() {
      key.zap(0, SIZE);
      key.commit();
      linked.forEach(offset -> window.unlink(offset, PAGE));
      linked.clear();
    }

    @Override
    public void close() {
      key.close();
      linked.forEach(offset -> window.unlink(offset, PAGE));
      window.close();
    }
  }
}
