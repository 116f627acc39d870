package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Keys of all kinds: registered by requests, over other keys, used again, and changed in chunks. */
class MemoryKeysTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final WireFaults BAD = new WireFaults(0.03, 0.03, 0.05, 0.01, 0.01);
  private static final Connection SMALL = new Connection(256, 8, 7, 7, 1, 4);
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;
  private static final int PAGE = 4096;

  @Test
  void piecesOfOtherKeysAreOneRange() {
    try (TwoHosts hosts = new TwoHosts(BAD)) {
      hosts.connect(SMALL);
      MemoryBlock near = HcaTest.random(hosts.near, 1);
      MemoryBlock first = HcaTest.random(hosts.far, 2);
      MemoryBlock second = HcaTest.random(hosts.far, 3);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      MemoryKey firstKey = hosts.far.register(first, FAR, ALL);
      MemoryKey secondKey = hosts.far.register(second, FAR, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE);
      byte[] source = bytes(near);
      byte[] expectedFirst = bytes(first);
      byte[] expectedSecond = bytes(second);
      DataSegments pieces = new DataSegments().add(firstKey, FAR + 333, 4001).add(secondKey, FAR + 9000, 7).add(firstKey, FAR + 20_000, 11_000);
      try (MemoryKey all = hosts.far.hca().registerPieces(hosts.far.domain(), 0x5000_0123L, pieces, ALL)) {
        hosts.near.pair().postWrite(1, nearKey, NEAR + 50, 14_900, all.key(), 0x5000_0123L + 100);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).as(seed()).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS);
        System.arraycopy(source, 50, expectedFirst, 433, 3901);
        System.arraycopy(source, 3951, expectedSecond, 9000, 7);
        System.arraycopy(source, 3958, expectedFirst, 20_000, 14_900 - 3908);
        assertThat(Arrays.mismatch(bytes(first), expectedFirst)).as(seed()).isEqualTo(-1);
        assertThat(Arrays.mismatch(bytes(second), expectedSecond)).as(seed()).isEqualTo(-1);
      }
    }
  }

  /** On a sound wire: whoever refuses a request does so once, and an answer that is lost is not given again. */
  @Test
  void piecesOfOtherKeysPermitWhatBothPermit() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryKey firstKey = hosts.far.register(HcaTest.random(hosts.far, 2), FAR, ALL);
      MemoryKey secondKey = hosts.far.register(HcaTest.random(hosts.far, 3), FAR, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE);
      DataSegments pieces = new DataSegments().add(firstKey, FAR, 4096).add(secondKey, FAR, 4096);
      try (MemoryKey all = hosts.far.hca().registerPieces(hosts.far.domain(), 0x5000_0000L, pieces, ALL)) {
        hosts.near.pair().postWrite(1, nearKey, NEAR, 8192, all.key(), 0x5000_0000L);
        hosts.near.pair().postRead(2, nearKey, NEAR, 4096, all.key(), 0x5000_0000L);
        hosts.near.pair().postRead(3, nearKey, NEAR, 4097, all.key(), 0x5000_0000L);
        hosts.await(hosts.near, 3);
        assertThat(hosts.near.done).extracting(Done::status).startsWith(CompletionStatus.SUCCESS, CompletionStatus.SUCCESS).element(2).as("the second piece's key permits no READ").isIn(CompletionStatus.REMOTE_ACCESS, CompletionStatus.REMOTE_OPERATION);
      }
    }
  }

  @Test
  void keysAreUsedAgainUnderNewNamesAndOldNamesPermitNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      Hca hca = hosts.far.hca();
      MemoryKey old = hca.register(hosts.far.domain(), FAR, hosts.far.ranges(far), ALL);
      int oldKey = old.key();
      old.close();
      long made = hca.keys().made();
      try (MemoryKey again = hca.register(hosts.far.domain(), FAR, hosts.far.ranges(far), ALL)) {
        assertThat(again.key()).isEqualTo(oldKey + 1);
        assertThat(hca.keys().made()).isEqualTo(made);
        hosts.near.pair().postWrite(1, nearKey, NEAR, 100, again.key(), FAR);
        hosts.near.pair().postWrite(2, nearKey, NEAR, 100, oldKey, FAR);
        hosts.await(hosts.near, 2);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
      }
      assertThat(hca.keys().waiting()).isPositive();
    }
  }

  @Test
  void namesOfDestroyedKeysPermitNothingWhenTheAdapterMakesOthersInTheirPlace() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 4096, 0, 60_000_000_000L, 0))) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      Hca hca = hosts.far.hca();
      MemoryKey first = hca.register(hosts.far.domain(), FAR, hosts.far.ranges(far), ALL);
      int oldKey = first.key();
      first.close();
      hca.newLocalKey(hosts.far.domain()).close();
      byte[] before = bytes(far);
      try (MemoryKey now = hca.register(hosts.far.domain(), FAR, hosts.far.ranges(far), ALL)) {
        assertThat(MkeyLayout.INDEX.get(now.key())).as("the place").isEqualTo(MkeyLayout.INDEX.get(oldKey));
        hosts.near.pair().postWrite(1, nearKey, NEAR, 100, oldKey, FAR);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_ACCESS);
        assertThat(bytes(far)).isEqualTo(before);
      }
    }
  }

  @Test
  void noMoreKeysAreKeptThanAllowed() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 4096, 2, 60_000_000_000L, 0))) {
      Hca hca = hosts.near.hca();
      MemoryBlock block = hosts.near.memory(PAGE);
      MemoryKey[] keys = new MemoryKey[5];
      Arrays.setAll(keys, i -> hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL));
      for (MemoryKey key : keys) {
        key.close();
      }
      assertThat(hca.keys().waiting()).isEqualTo(2);
    }
  }

  @Test
  void keysThatNobodyUsesForLongAreDestroyedAndThoseInUseStay() {
    long idle = 1_000_000_000L;
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 4096, 8, idle, 0))) {
      Hca hca = hosts.near.hca();
      MemoryBlock block = hosts.near.memory(PAGE);
      MemoryKey[] keys = new MemoryKey[4];
      Arrays.setAll(keys, i -> hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL));
      for (MemoryKey key : keys) {
        key.close();
      }
      int others = hca.keys().waiting() - 4;
      long made = hca.keys().made();
      long begun = hosts.near.machine.timers().nanoTime();
      while (hosts.near.machine.timers().nanoTime() - begun < idle / 2) {
        hosts.near.machine.timers().schedule(idle / 8, () -> {});
        hosts.near.work();
      }
      assertThat(hca.keys().waiting()).as("not yet").isEqualTo(4 + others);
      hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL).close();
      while (hosts.near.machine.timers().nanoTime() - begun < idle * 5 / 4) {
        hosts.near.machine.timers().schedule(idle / 8, () -> {});
        hosts.near.work();
      }
      assertThat(hca.keys().waiting()).as("the one that was used").isEqualTo(1);
      assertThat(hca.keys().made()).isEqualTo(made);
      hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL).close();
      assertThat(hca.keys().made()).isEqualTo(made);
    }
  }

  @Test
  void longTablesAreLoadedInChunksOfTheBuffer() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 4096, 0, 60_000_000_000L, 0))) {
      Hca hca = hosts.near.hca();
      try (OnDemandKey key = hca.registerOnDemand(hosts.near.domain(), NEAR, 1500L * PAGE, ALL, (address, demanded, length, write) -> false)) {
        long before = hca.updates().posted();
        key.set(0, 1500L * PAGE, 0x10_0000L, DmaDirection.BIDIRECTIONAL);
        key.commit();
        assertThat(hca.updates().posted() - before).as("512 entries fit").isEqualTo(3);
      }
    }
  }

  @Test
  void usedOnDemandKeyComesBackWithEveryPageAbsentAndOnlyWhatWasUsedIsCleared() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      Hca hca = hosts.far.hca();
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      long pages = 100_000;
      long made;
      try (DmaTransfer transfer = hosts.far.mapper().newTransfer();
          OnDemandKey old = hca.registerOnDemand(hosts.far.domain(), 0, pages * PAGE, ALL, (address, demanded, length, write) -> false)) {
        transfer.map(hosts.far.ranges(far), DmaDirection.BIDIRECTIONAL, 0, (dmaAddress, length, kind) -> true);
        old.set(70_000L * PAGE, 2 * PAGE, transfer.dmaAddress(), DmaDirection.BIDIRECTIONAL);
        old.set(90L * PAGE, PAGE, transfer.dmaAddress(), DmaDirection.BIDIRECTIONAL);
        old.zap(90L * PAGE, PAGE);
        old.set(60_000L * PAGE, PAGE, transfer.dmaAddress(), DmaDirection.BIDIRECTIONAL);
        old.commit();
        hosts.near.pair().postWrite(1, nearKey, NEAR, 2 * PAGE, old.key(), 70_000L * PAGE);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS);
        made = hca.keys().made();
      }
      long before = hca.updates().posted();
      long[] asked = new long[1];
      PageFaultHandler refuses = (address, demanded, length, write) -> (asked[0] = address) < 0;
      try (OnDemandKey again = hca.registerOnDemand(hosts.far.domain(), 0, pages * PAGE, ALL, refuses)) {
        assertThat(hca.keys().made()).isEqualTo(made);
        assertThat(hca.updates().posted() - before).as("9 buffers of entries from 90 to 70001, and the context").isEqualTo(10);
        hosts.near.pair().postWrite(2, nearKey, NEAR, 8, again.key(), 71_000L * PAGE - 999 * PAGE);
        hosts.await(hosts.near, 2);
        assertThat(asked[0]).as("the page that the former owner had set last is absent").isEqualTo(70_001L * PAGE);
      }
    }
  }

  @Test
  void changeThatTheAdapterRefusesIsToldToItsOwnerAndThoseBehindItAreMadeAllTheSame() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      UpdateQueue updates = hosts.far.hca().updates();
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      KeyShape shape = KeyShape.of(MkeyLayout.MODE_TABLE, false, 16);
      AdapterKey key = hosts.far.hca().keys().take(MkeyLayout.MODE_TABLE, false, 16);
      try (DmaTransfer transfer = hosts.far.mapper().newTransfer()) {
        long[] address = new long[1];
        transfer.map(hosts.far.ranges(far), DmaDirection.BIDIRECTIONAL, 0, (dmaAddress, length, kind) -> (address[0] = dmaAddress) != 0);
        updates.load(0x77_0000, shape, 0, 1, index -> 1);
        key.load(0, 16, index -> address[0] + index * PAGE);
        key.enable(hosts.far.domain(), ALL, FAR, 16 * PAGE, 12);
        assertThatExceptionOfType(HcaException.class).isThrownBy(() -> updates.await(0x77_0000)).withMessageContaining("0x770000");
        hosts.near.pair().postWrite(1, nearKey, NEAR, 30_000, key.key(), FAR);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS);
        hosts.far.hca().keys().giveBack(key);
      }
    }
  }

  @Test
  void changeBehindARefusedOneIsMadeLateIfTheQueueCouldNotBeMadeAnewAtOnce() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      UpdateQueue updates = hosts.far.hca().updates();
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      byte[] before = bytes(far);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      PinnedKey farKey = (PinnedKey) hosts.far.register(far, FAR, ALL);
      AdapterKey behind = new AdapterKey(updates, KeyShape.of(MkeyLayout.MODE_TABLE, false, 16), farKey.key(), farKey.key());
      FailNth machine = ((ModelMachine) hosts.far.machine).failNth();
      updates.load(0x77_0000, behind.shape(), 0, 1, index -> 1);
      updates.change(behind.key(), behind.shape(), KeyContext.MASK_REVOKE, KeyContext.revoked(updates.domain()));
      machine.arm(FailNth.Kind.ALLOCATE, 1);
      assertThatExceptionOfType(DmaMappingException.class).isThrownBy(() -> updates.await(0x77_0000));
      machine.disarm();
      updates.await(behind.key());
      hosts.near.pair().postWrite(1, nearKey, NEAR, 100, farKey.key(), FAR);
      hosts.await(hosts.near, 1);
      assertThat(hosts.near.done).extracting(Done::status).as("the key was revoked").containsExactly(CompletionStatus.REMOTE_ACCESS);
      assertThat(bytes(far)).isEqualTo(before);
      assertThatExceptionOfType(HcaException.class).as("the refusal is still told").isThrownBy(() -> updates.await(0x77_0000));
    }
  }

  @Test
  void keyWithAChangeThatWasRefusedIsNotUsedAgain() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      Hca hca = hosts.near.hca();
      OnDemandKey first = hca.registerOnDemand(hosts.near.domain(), NEAR, 16L * PAGE, ALL, (address, demanded, length, write) -> false);
      hca.updates().load(first.key(), KeyShape.of(MkeyLayout.MODE_TABLE, true, 16), 1 << 20, 1, index -> 1);
      first.set(0, PAGE, 0x1000, DmaDirection.TO_DEVICE);
      int name = first.key();
      assertThatExceptionOfType(HcaException.class).isThrownBy(first::commit);
      first.close();
      hca.updates().load(name, KeyShape.of(MkeyLayout.MODE_TABLE, true, 16), 1 << 20, 1, index -> 1);
      assertThatExceptionOfType(HcaException.class)
          .isThrownBy(() -> hca.registerOnDemand(hosts.near.domain(), NEAR, 16L * PAGE, ALL, (address, demanded, length, write) -> false))
          .withMessageContaining("refused");
      long made = hca.keys().made();
      try (OnDemandKey next = hca.registerOnDemand(hosts.near.domain(), NEAR, 16L * PAGE, ALL, (address, demanded, length, write) -> false)) {
        assertThat(hca.keys().made()).as("the next one is new").isEqualTo(made + 1);
        assertThat(next.key()).isNotEqualTo(name);
      }
    }
  }

  @Test
  void keyThatIsClosedWhileAnotherCannotBeDestroyedIsInThePoolOnce() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 4096, 1, 60_000_000_000L, 0))) {
      Hca hca = hosts.near.hca();
      MemoryBlock block = hosts.near.memory(PAGE);
      MemoryKey first = hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL);
      MemoryKey second = hca.register(hosts.near.domain(), NEAR, hosts.near.ranges(block), ALL);
      first.close();
      hca.commands().execute(CommandLayout.OP_DESTROY_MKEY, first.key());
      second.close();
      second.close();
      assertThat(hca.keys().waiting()).isEqualTo(1);
    }
  }

  private static byte[] bytes(MemoryBlock block) {
    return block.segment().toArray(ValueLayout.JAVA_BYTE);
  }

  private static String seed() {
    return "-Dtwostep.seed=" + Seeds.SEED;
  }
}
