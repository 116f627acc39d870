package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint in a file, written by threads that others interrupt. */
class FileCheckpointTest {
  @TempDir Path work;

  private static void interrupted(ThrowingCallable call) {
    Thread.currentThread().interrupt();
    try {
      assertThatExceptionOfType(ClosedByInterruptException.class).isThrownBy(call);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void callThatAnInterruptEndedCanBeRepeated() throws IOException {
    Path file = work.resolve("checkpoint");
    try (FileCheckpoint checkpoint = new FileCheckpoint(file)) {
      checkpoint.append(ByteBuffer.wrap(new byte[] {1, 2, 3}));
      interrupted(() -> checkpoint.append(ByteBuffer.wrap(new byte[] {4, 5})));
      checkpoint.append(ByteBuffer.wrap(new byte[] {4, 5}));
      interrupted(checkpoint::force);
      checkpoint.force();
      interrupted(checkpoint::publish);
      checkpoint.publish();
      assertThat(Files.readAllBytes(file)).containsExactly(1, 2, 3, 4, 5);
    }
    assertThat(Files.exists(DurableFiles.next(file))).isFalse();
  }

  @Test
  void checkpointThatWasClosedTakesNothingMore() throws IOException {
    FileCheckpoint checkpoint = new FileCheckpoint(work.resolve("checkpoint"));
    checkpoint.close();
    assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> checkpoint.append(ByteBuffer.wrap(new byte[1])));
    assertThat(work).isEmptyDirectory();
  }
}
