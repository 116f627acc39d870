package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Memory that another driver exports, takes back, moves and restores below a key. */
class ExportedMemoryTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final Connection SMALL = new Connection(1024, 8, 7, 7, 1, 4);
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;

  @Test
  void memoryThatIsTakenBackAndMovedIsReachedWhereItIsThen() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock near = HcaTest.random(hosts.near, 1);
      MemoryBlock before = HcaTest.random(hosts.far, 2);
      MemoryBlock after = HcaTest.random(hosts.far, 3);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      try (ExportedBuffer buffer = ExportedBuffer.of(hosts.far.machine, "frame", before.ranges());
          ExportedMemory memory = hosts.far.hca().registerExported(hosts.far.domain(), FAR, buffer, ALL)) {
        hosts.near.pair().postWrite(1, nearKey, NEAR, 20_000, memory.key(), FAR + 5);
        hosts.await(hosts.near, 1);
        assertThat(MemorySegment.mismatch(near.segment(), 0, 20_000, before.segment(), 5, 20_005)).isEqualTo(-1);

        byte[] left = before.segment().toArray(ValueLayout.JAVA_BYTE);
        CompletableFuture<Void> revoked = buffer.revoke().toCompletableFuture();
        assertThat(revoked).as("the adapter has let go when the call returns").isCompleted();
        assertThat(memory.umem().isMapped()).isFalse();
        assertThat(memory.umem().invalidations()).isEqualTo(1);
        buffer.restore(after.ranges());
        hosts.near.pair().postWrite(2, nearKey, NEAR + 30_000, 20_000, memory.key(), FAR + 9);
        hosts.await(hosts.near, 2);
        assertThat(hosts.near.done).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
        assertThat(MemorySegment.mismatch(near.segment(), 30_000, 50_000, after.segment(), 9, 20_009)).isEqualTo(-1);
        assertThat(before.segment().toArray(ValueLayout.JAVA_BYTE)).as("nothing is written where it was").isEqualTo(left);
      }
    }
  }

  @Test
  void requestForMemoryThatIsTakenBackFailsAndMovesNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryBlock block = HcaTest.random(hosts.far, 2);
      byte[] left = block.segment().toArray(ValueLayout.JAVA_BYTE);
      try (ExportedBuffer buffer = ExportedBuffer.of(hosts.far.machine, "frame", block.ranges());
          ExportedMemory memory = hosts.far.hca().registerExported(hosts.far.domain(), FAR, buffer, ALL)) {
        buffer.revoke();
        hosts.near.pair().postWrite(1, nearKey, NEAR, 100, memory.key(), FAR);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
        assertThat(block.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(left);
      }
    }
  }

  @Test
  void registrationsThatCannotBeLeaveNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      MemoryBlock block = HcaTest.random(hosts.far, 2);
      try (ExportedBuffer odd = ExportedBuffer.of(hosts.far.machine, "odd", PhysRanges.of(block.phys(0) + 8, 512))) {
        assertThatExceptionOfType(PageFaultException.class)
            .isThrownBy(() -> hosts.far.hca().registerExported(hosts.far.domain(), FAR, odd, ALL))
            .withMessageContaining("pages of 4 KiB");
        assertThat(odd.mappings()).isZero();
        assertThat(odd.attachments()).isZero();
        odd.revoke();
        assertThatExceptionOfType(DmaMappingException.class).isThrownBy(() -> hosts.far.hca().registerExported(hosts.far.domain(), FAR, odd, ALL));
        assertThat(odd.attachments()).isZero();
      }
    }
  }
}
