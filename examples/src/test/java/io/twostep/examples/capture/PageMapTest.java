package io.twostep.examples.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.examples.capture.Captured.Run;
import java.io.EOFException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PageMapTest {
  private static final long PRESENT = 1L << 63;
  private static final long SWAPPED = 1L << 62;
  private static final long SHARED = 1L << 61;

  @TempDir Path work;

  /** Write words from page 5 on. */
  private Path pagemap(long... words) throws Exception {
    Path path = work.resolve("pagemap");
    ByteBuffer bytes = ByteBuffer.allocate(words.length * 8).order(ByteOrder.nativeOrder());
    for (long word : words) {
      bytes.putLong(word);
    }
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      file.write(bytes.flip(), 5 * 8);
    }
    return path;
  }

  private Captured read(long address, long length, long... words) throws Exception {
    Captured found = new Captured();
    try (PageMap pages = new PageMap(pagemap(words), 4096)) {
      pages.read(address, length, found);
    }
    return found;
  }

  @Test
  void adjacentFramesAreOneRunAndOthersAreNot() throws Exception {
    Captured found = read(5 * 4096, 4 * 4096, PRESENT | 100, PRESENT | SHARED | 101, PRESENT | 200, PRESENT | 199);

    assertThat(found.runs()).containsExactly(new Run(100 * 4096, 8192), new Run(200 * 4096, 4096), new Run(199 * 4096, 4096));
    assertThat(found.bytes()).isEqualTo(4 * 4096);
  }

  @Test
  void aBufferBeginsAndEndsInsideAPage() throws Exception {
    Captured found = read(5 * 4096 + 100, 4096, PRESENT | 7, PRESENT | 9);

    assertThat(found.runs()).containsExactly(new Run(7 * 4096 + 100, 3996), new Run(9 * 4096, 100));
  }

  @Test
  void pagesThatAreNotThereAreCountedAndPartRuns() throws Exception {
    Captured found = read(5 * 4096, 4 * 4096, PRESENT | 100, SWAPPED | 3, 0, PRESENT | 101);

    assertThat(found.runs()).hasSize(2);
    assertThat(found.present()).isEqualTo(2);
    assertThat(found.swapped()).isEqualTo(1);
    assertThat(found.absent()).isEqualTo(1);
    assertThat(found.isHidden()).isFalse();
  }

  @Test
  void frameZeroMeansThatTheKernelDoesNotTell() throws Exception {
    Captured found = read(5 * 4096, 2 * 4096, PRESENT, PRESENT | SHARED);

    assertThat(found.isHidden()).isTrue();
    assertThat(found.present()).isEqualTo(2);
    assertThat(found.runs()).isEmpty();
  }

  @Test
  void manyPagesAreReadInPieces() throws Exception {
    long[] words = new long[5000];
    for (int i = 0; i < words.length; i++) {
      words[i] = PRESENT | 2L * i + 10;
    }
    Captured found = read(5 * 4096, 5000 * 4096L, words);

    assertThat(found.runs()).hasSize(5000);
    assertThat(found.runs().get(4999)).isEqualTo(new Run((2 * 4999 + 10) * 4096L, 4096));
  }

  @Test
  void aPageMapThatEndsTooEarlyIsAnError() {
    assertThatThrownBy(() -> read(5 * 4096, 2 * 4096, PRESENT | 1)).isInstanceOf(EOFException.class).hasMessageContaining("0x6000");
  }
}
