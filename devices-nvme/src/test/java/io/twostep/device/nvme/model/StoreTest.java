package io.twostep.device.nvme.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreTest {
  private static final int SIZE = (5 << 20) + 1234;

  @TempDir Path folder;

  @Test
  void everyMediumAgreesWithAnArray() {
    agree(() -> new MemoryStore(SIZE, (byte) 0), (byte) 0);
    agree(() -> new MemoryStore(SIZE, (byte) 0xff), (byte) 0xff);
    agree(() -> FileStore.open(folder.resolve("plain"), SIZE, (byte) 0), (byte) 0);
    agree(() -> FileStore.open(folder.resolve("ones"), SIZE, (byte) 0xff), (byte) 0xff);
  }

  private static void agree(Supplier<BlockStore> opener, byte blank) {
    RandomGenerator random = Seeds.random();
    byte[] oracle = new byte[SIZE];
    Arrays.fill(oracle, blank);
    try (BlockStore store = opener.get()) {
      assertThat(store.size()).isEqualTo(SIZE);
      for (int round = 0; round < 1_000; round++) {
        int offset = random.nextInt(SIZE);
        int length = random.nextInt(Math.min(SIZE - offset, random.nextInt(20) == 0 ? SIZE : 20_000)) + 1;
        switch (random.nextInt(3)) {
          case 0 -> {
            store.clear(offset, length);
            Arrays.fill(oracle, offset, offset + length, blank);
          }
          case 1 -> {
            byte value = (byte) random.nextInt();
            for (long at = offset; at < offset + length; ) {
              long run = Math.min(store.run(at), offset + length - at);
              store.writable(at).asSlice(store.offsetInSegment(at), run).fill(value);
              at += run;
            }
            Arrays.fill(oracle, offset, offset + length, value);
          }
          default -> {
            for (long at = offset; at < offset + length; ) {
              long run = Math.min(store.run(at), offset + length - at);
              MemorySegment expected = MemorySegment.ofArray(oracle).asSlice(at, run);
              assertThat(store.readable(at).asSlice(store.offsetInSegment(at), run).mismatch(expected))
                  .as(Seeds.at(round))
                  .isEqualTo(-1);
              at += run;
            }
          }
        }
      }
      store.flush();
    }
  }

  @Test
  void fileKeepsItsBlocksByteForByte() throws IOException {
    Path file = folder.resolve("namespace");
    try (BlockStore store = FileStore.open(file, 8192, (byte) 0)) {
      store.writable(4096).set(ValueLayout.JAVA_BYTE, 4096, (byte) 42);
    }
    byte[] bytes = Files.readAllBytes(file);
    assertThat(bytes).hasSize(8192);
    assertThat(bytes[4096]).isEqualTo((byte) 42);
    try (BlockStore store = FileStore.open(file, 8192, (byte) 0)) {
      assertThat(store.readable(4096).get(ValueLayout.JAVA_BYTE, 4096)).isEqualTo((byte) 42);
    }
  }

  @Test
  void metadataOfBlocksNeverWrittenStaysBlankInFiles() throws IOException {
    Path file = folder.resolve("protected");
    NamespaceConfig config = NamespaceConfig.ofFile(file, 16, 512).withMetadata(8, false);
    new Namespace(1, config, false).close();
    assertThat(Files.readAllBytes(folder.resolve("protected.metadata"))).hasSize(128).containsOnly(0xff);
    assertThat(Files.size(file)).isEqualTo(16 * 512);
  }

  @Test
  void fileThatCannotBeUsedIsNamed() {
    Path nowhere = folder.resolve("no/such/folder/file");
    assertThatThrownBy(() -> FileStore.open(nowhere, 4096, (byte) 0))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("cannot keep a namespace of 4096 bytes in " + nowhere);
  }

  @Test
  void largeMediumTakesSpaceOnlyWhereItIsWritten() {
    try (MemoryStore store = new MemoryStore(1L << 42, (byte) 0)) {
      store.writable((1L << 42) - 1).set(ValueLayout.JAVA_BYTE, store.offsetInSegment((1L << 42) - 1), (byte) 1);
      assertThat(store.readable((1L << 42) - 1).get(ValueLayout.JAVA_BYTE, store.run(0) - 1)).isEqualTo((byte) 1);
      assertThat(store.readable(0).get(ValueLayout.JAVA_BYTE, 0)).isZero();
    }
    assertThatThrownBy(() -> new MemoryStore(0, (byte) 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
