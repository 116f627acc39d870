package io.twostep.examples.nvmeof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.examples.fabric.RdmaHost;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.PeerBytes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A target with several commands under way, seen by its initiator. */
class NvmeTargetTest {
  private static final WireFaults BAD = new WireFaults(0.02, 0.02, 0.04, 0.005, 0.005);
  private static final long SEED = Long.getLong("twostep.seed", 20261121L);
  private static final int BLOCKS = 512;
  private static final int BLOCK = NvmeTarget.BLOCK;

  /** Both ends of a connection, and what mappings the target had when nothing was under way. */
  private static final class Rig implements AutoCloseable {
    final RdmaHost near;
    final NvmeTarget target;
    final NvmeInitiator initiator;
    final long mapped;

    Rig(TargetTree tree, WireFaults faults, int depth, int lanes) {
      Wire wire = new Wire(faults, SEED);
      near = RdmaHost.simple(wire, 0);
      target = new NvmeTarget(tree, BLOCKS, depth, wire, 1);
      near.connect(target.host());
      target.host().connect(near);
      initiator = new NvmeInitiator(near, lanes);
      mapped = mappings();
    }

    long mappings() {
      return target.host().hca().mapper().liveMappings();
    }

    void drain() {
      for (int round = 0; round < 1000 && !target.isIdle(); round++) {
        target.work();
      }
      assertThat(target.isIdle()).isTrue();
      assertThat(mappings()).isEqualTo(mapped);
    }

    @Override
    public void close() {
      initiator.close();
      target.close();
      near.close();
      assertThat(mappings()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(TargetTree.class)
  void manyCommandsAtOnceMoveTheirBytesAndNoOthers(TargetTree tree) {
    SplittableRandom random = new SplittableRandom(SEED);
    int lanes = 8;
    int blocksOfLane = BLOCKS / lanes;
    byte[] oracle = new byte[BLOCKS * BLOCK];
    try (Rig rig = new Rig(tree, BAD, 3, lanes)) {
      int[] from = new int[lanes];
      int[] blocks = new int[lanes];
      boolean[] reads = new boolean[lanes];
      for (int i = 0; i < 120 + lanes; i++) {
        int lane = i % lanes;
        byte[] at = new byte[NvmeTarget.MOST];
        if (i >= lanes) {
          rig.initiator.await(lane, rig.target);
          assertThat(rig.initiator.status(lane)).isZero();
          if (reads[lane]) {
            MemorySegment.copy(rig.initiator.data(lane), ValueLayout.JAVA_BYTE, 0, at, 0, at.length);
            assertThat(Arrays.copyOf(at, blocks[lane] * BLOCK)).as("-Dtwostep.seed=%d", SEED).isEqualTo(Arrays.copyOfRange(oracle, from[lane] * BLOCK, (from[lane] + blocks[lane]) * BLOCK));
          }
        }
        if (i < 120) {
          from[lane] = lane * blocksOfLane + random.nextInt(blocksOfLane);
          blocks[lane] = 1 + random.nextInt((lane + 1) * blocksOfLane - from[lane]);
          reads[lane] = random.nextBoolean();
          if (reads[lane]) {
            rig.initiator.data(lane).fill((byte) 0x55);
          } else {
            random.nextBytes(at);
            MemorySegment.copy(at, 0, rig.initiator.data(lane), ValueLayout.JAVA_BYTE, 0, at.length);
            System.arraycopy(at, 0, oracle, from[lane] * BLOCK, blocks[lane] * BLOCK);
          }
          rig.initiator.begin(lane, reads[lane] ? CommandCapsule.READ : CommandCapsule.WRITE, from[lane], blocks[lane]);
        }
      }
      assertThat(rig.target.mostInFlight()).as("what is beyond the depth waits at the initiator").isEqualTo(3);
      rig.drain();
    }
  }

  @Test
  void commandsThatCannotBeServedAreAnsweredWithWhyAndHarmNoneBesideThem() {
    try (Rig rig = new Rig(TargetTree.SWITCH, WireFaults.NONE, 4, 4)) {
      PeerBytes before = rig.target.peerBytes();
      rig.initiator.data(0).fill((byte) 7);
      rig.initiator.begin(0, CommandCapsule.WRITE, 0, 8);
      rig.initiator.begin(1, CommandCapsule.WRITE, 0, 257);
      rig.initiator.send(2, new CommandCapsule(9, 900, 0, 1, 0, BLOCK, 0));
      rig.initiator.begin(3, CommandCapsule.READ, BLOCKS, 1);
      for (int lane = 0; lane < 4; lane++) {
        rig.initiator.await(lane, rig.target);
      }
      assertThat(rig.initiator.status(0)).isZero();
      assertThat(rig.initiator.status(1)).as("too long").isEqualTo(ResponseCapsule.INVALID_FIELD);
      assertThat(rig.initiator.status(2)).as("no such command").isEqualTo(ResponseCapsule.INVALID_FIELD);
      assertThat(rig.initiator.status(3)).isEqualTo(ResponseCapsule.OUT_OF_RANGE);
      for (long lba : new long[] {-1, Long.MAX_VALUE, Long.MIN_VALUE}) {
        assertThat(rig.initiator.run(CommandCapsule.READ, lba, 1, rig.target)).as("block %d", lba).isEqualTo(ResponseCapsule.OUT_OF_RANGE);
      }
      assertThat(rig.initiator.run(CommandCapsule.READ, 7, 1, rig.target)).isZero();
      assertThat(rig.initiator.data(0).asSlice(0, BLOCK).toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
      assertThat(rig.target.peerBytes().direct() - before.direct()).as("nothing moved for what was refused").isEqualTo(9 * BLOCK);
      rig.drain();
    }
  }

  @Test
  void mappingThatFailsAnywhereFailsOneCommandAndLeavesNothing() {
    try (Rig rig = new Rig(TargetTree.APART, WireFaults.NONE, 4, 4)) {
      int failed = 0;
      boolean fired = true;
      for (int n = 1; fired; n++) {
        rig.target.host().machine().failNth().arm(FailNth.Kind.PUBLISH, n);
        for (int lane = 0; lane < 4; lane++) {
          rig.initiator.begin(lane, lane % 2 == 0 ? CommandCapsule.WRITE : CommandCapsule.READ, lane * 64L, 64);
        }
        int refused = 0;
        for (int lane = 0; lane < 4; lane++) {
          rig.initiator.await(lane, rig.target);
          assertThat(rig.initiator.status(lane)).isIn(0, ResponseCapsule.INTERNAL_ERROR);
          refused += rig.initiator.status(lane) == 0 ? 0 : 1;
        }
        fired = rig.target.host().machine().failNth().fired();
        rig.target.host().machine().failNth().disarm();
        assertThat(refused).as("publish %d", n).isLessThanOrEqualTo(1);
        failed += refused;
        rig.drain();
      }
      assertThat(failed).as("something was made to fail").isPositive();
    }
  }

  @Test
  void memoryThatTheInitiatorDoesNotOwnCostsItTheConnectionAndTheTargetNothing() {
    try (Rig rig = new Rig(TargetTree.SWITCH, WireFaults.NONE, 4, 4)) {
      rig.initiator.begin(0, CommandCapsule.READ, 0, 256);
      rig.initiator.send(1, new CommandCapsule(CommandCapsule.WRITE, 900, 0, 1, 0, BLOCK, 0x1234_5600));
      rig.initiator.begin(2, CommandCapsule.WRITE, 8, 8);
      assertThatIllegalStateException().isThrownBy(() -> rig.initiator.await(1, rig.target)).withMessageContaining("REMOTE_ACCESS");
      assertThat(rig.target.lost()).isEqualTo(CompletionStatus.REMOTE_ACCESS);
      rig.drain();
    }
  }
}
