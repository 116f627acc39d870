package io.twostep.examples.nvmeof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.model.WireFaults;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Data that arrives by RDMA for an NVMe controller, on every tree. */
class NvmeOverRdmaTest {
  private static final WireFaults BAD = new WireFaults(0.02, 0.02, 0.04, 0.005, 0.005);

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new SplittableRandom(length).nextBytes(bytes);
    return bytes;
  }

  @Test
  void hostMemorySeesNothingButCommandsWhereTheAdapterReachesTheController() {
    long commandBytes = -1;
    for (TargetTree tree : TargetTree.values()) {
      TargetResult result = NvmeOverRdma.run(random(300_001), tree, WireFaults.NONE);
      assertThat(result.verified()).as("%s", tree).isTrue();
      assertThat(result.dataBytes()).isEqualTo(2 * 586 * 512);
      long data = result.dataBytes();
      assertThat(result.directBytes()).as("%s", tree).isEqualTo(tree == TargetTree.SWITCH ? data : 0);
      assertThat(result.bridgedBytes()).as("%s", tree).isEqualTo(tree == TargetTree.HOST_BRIDGE || tree == TargetTree.ACS ? data : 0);
      assertThat(result.hostDataBytes()).as("%s", tree).isEqualTo(tree == TargetTree.APART ? 2 * data : 0);
      long others = result.hostBytes() - result.hostDataBytes();
      assertThat(others).as("commands, answers and page lists, on %s", tree).isBetween(1L, 2048L * result.commands());
      assertThat(commandBytes == -1 || commandBytes == others).as("as much of them on every tree").isTrue();
      commandBytes = others;
    }
  }

  @ParameterizedTest
  @EnumSource(TargetTree.class)
  void everyByteComesBackOverABadWireWhateverTheSize(TargetTree tree) {
    for (int length : new int[] {0, 1, 4097, (128 << 10) + 1}) {
      assertThat(NvmeOverRdma.run(random(length), tree, BAD).verified()).as("%d bytes on %s", length, tree).isTrue();
    }
  }

  @Test
  void capsulesAreWhatTheStandardSays() {
    CommandCapsule command = new CommandCapsule(CommandCapsule.READ, 0xfedc, 0x1122_3344_5566L, 65536, 0x8877_6655_4433_2211L, 0xff_eedd, 0x8cba_9876);
    ByteBuffer bytes = ByteBuffer.allocate(CommandCapsule.SIZE);
    command.write(bytes);
    assertThat(bytes.position()).isEqualTo(CommandCapsule.SIZE);
    ByteBuffer little = bytes.flip().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    assertThat(little.getInt(0)).isEqualTo(0xfedc_4002);
    assertThat(little.getLong(24)).isEqualTo(0x8877_6655_4433_2211L);
    assertThat(little.getInt(32) & 0xff_ffff).as("length").isEqualTo(0xff_eedd);
    assertThat(little.getInt(35)).as("key").isEqualTo(0x8cba_9876);
    assertThat(little.get(39)).as("keyed data block").isEqualTo((byte) 0x40);
    assertThat(little.getShort(48)).as("blocks, from 0").isEqualTo((short) -1);
    assertThat(CommandCapsule.read(bytes)).isEqualTo(command);
    bytes.put(39, (byte) 0x30);
    assertThatIllegalArgumentException().isThrownBy(() -> CommandCapsule.read(bytes)).withMessageContaining("type 0x30");
    assertThatIllegalArgumentException().isThrownBy(() -> CommandCapsule.read(bytes.slice(0, 63))).withMessageContaining("63");
    ByteBuffer answer = ByteBuffer.allocate(ResponseCapsule.SIZE);
    new ResponseCapsule(0xfedc, 0x281).write(answer);
    assertThat(ResponseCapsule.read(answer.flip())).isEqualTo(new ResponseCapsule(0xfedc, 0x281));
    assertThat(answer.order(ByteOrder.LITTLE_ENDIAN).getShort(14)).as("above the phase bit").isEqualTo((short) 0x502);
  }
}
