package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeModelConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NvmeChannelTest {
  private static final int BLOCKS = 1024;

  private static NvmeModelConfig config(int blockSize) {
    return NvmeModelConfig.DEFAULT.with(c -> c.namespaces(List.of(NamespaceConfig.ofMemory(BLOCKS, blockSize))));
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void randomReadsAndWritesAtAnyByteAgreeWithAnArray(int blockSize) throws IOException {
    RandomGenerator random = Seeds.random();
    byte[] image = new byte[BLOCKS * blockSize];
    try (Rig rig = new Rig(config(blockSize));
        NvmeController controller = rig.open();
        NvmeChannel channel = controller.namespace(1).openChannel()) {
      assertThat(channel.size()).isEqualTo(image.length);
      for (int round = 0; round < 300; round++) {
        int from = random.nextInt(image.length);
        int length = 1 + random.nextInt(random.nextInt(10) == 0 ? 400_000 : 3 * blockSize);
        int kept = Math.min(length, image.length - from);
        ByteBuffer buffer = random.nextBoolean() ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
        if (random.nextBoolean()) {
          byte[] bytes = new byte[length];
          random.nextBytes(bytes);
          buffer.put(bytes).flip();
          assertThat(channel.write(buffer, from)).as(Seeds.at(round)).isEqualTo(kept);
          assertThat(buffer.remaining()).isEqualTo(length - kept);
          System.arraycopy(bytes, 0, image, from, kept);
        } else {
          assertThat(channel.read(buffer, from)).as(Seeds.at(round)).isEqualTo(kept);
          byte[] found = new byte[kept];
          buffer.flip().get(found);
          assertThat(Arrays.mismatch(found, Arrays.copyOfRange(image, from, from + kept))).as(Seeds.at(round)).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  @SuppressWarnings("try") // closing early is what is tested
  void positionMovesByWhatWasReadAndWrittenAndEndsAtTheEnd() throws IOException {
    try (Rig rig = new Rig(config(512));
        NvmeController controller = rig.open();
        NvmeChannel channel = controller.namespace(1).openChannel()) {
      assertThat(channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3}))).isEqualTo(3);
      assertThat(channel.position()).isEqualTo(3);
      channel.position(channel.size() - 2);
      assertThat(channel.write(ByteBuffer.wrap(new byte[] {4, 5, 6}))).isEqualTo(2);
      assertThat(channel.position()).isEqualTo(channel.size());
      assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
      assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1))).isInstanceOf(IOException.class).hasMessageContaining("no room");
      ByteBuffer back = ByteBuffer.allocate(10);
      assertThat(channel.read(back, channel.size() - 2)).isEqualTo(2);
      assertThat(back.get(0)).isEqualTo((byte) 4);
      channel.force();
      assertThat(channel.truncate(channel.size())).isSameAs(channel);
      assertThatThrownBy(() -> channel.truncate(5)).isInstanceOf(UnsupportedOperationException.class);
      channel.close();
      assertThat(channel.isOpen()).isFalse();
      assertThatThrownBy(channel::size).isInstanceOf(ClosedChannelException.class);
    }
  }

  @Test
  void truncatingToTheSizeOrBeyondMovesAPositionThatIsBehindItAndNothingElse() throws IOException {
    try (Rig rig = new Rig(config(512));
        NvmeController controller = rig.open();
        NvmeChannel channel = controller.namespace(1).openChannel()) {
      long size = channel.size();
      channel.position(size + 1000).truncate(size + 10);
      assertThat(channel.position()).isEqualTo(size + 10);
      channel.truncate(size);
      assertThat(channel.position()).isEqualTo(size);
      channel.position(3).truncate(size);
      assertThat(channel.position()).isEqualTo(3);
      assertThat(channel.size()).isEqualTo(size);
      assertThatThrownBy(() -> channel.truncate(-1)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
