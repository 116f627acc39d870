package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.device.vfio.migrate.Ownership.Side;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The record in a file: whole or not at all, and only for who knows what holds. */
class FileOwnershipStoreTest {
  @TempDir Path work;

  private Path file() {
    return work.resolve("ownership");
  }

  private FileOwnershipStore store() throws IOException {
    FileOwnershipStore store = new FileOwnershipStore(file());
    store.create();
    return store;
  }

  @Test
  void aChangeIsSeenByWhoeverReadsTheFile() throws IOException {
    assertThat(store().read()).isEqualTo(Ownership.INITIAL);
    Ownership begun = Ownership.INITIAL.begun(77);
    assertThat(store().compareAndSet(Ownership.INITIAL, begun)).isTrue();
    assertThat(store().read()).isEqualTo(begun).isEqualTo(new Ownership(2, Side.SOURCE, 77));
    assertThat(store().compareAndSet(begun, begun.takenByDestination())).isTrue();
    assertThat(store().read()).isEqualTo(new Ownership(3, Side.DESTINATION, 77));
  }

  @Test
  void ofTwoThatKnowTheSameOneWins() throws IOException {
    FileOwnershipStore store = store();
    Ownership begun = Ownership.INITIAL.begun(5);
    store.compareAndSet(Ownership.INITIAL, begun);
    assertThat(store.compareAndSet(begun, begun.keptBySource())).isTrue();
    assertThat(store().compareAndSet(begun, begun.takenByDestination())).isFalse();
    assertThat(store.read().holder()).isEqualTo(Side.SOURCE);
  }

  @Test
  void whatACrashLeftBesideTheRecordIsNotTheRecord() throws IOException {
    FileOwnershipStore store = store();
    Files.write(work.resolve("ownership.next"), new byte[] {1, 2, 3});
    assertThat(store.read()).isEqualTo(Ownership.INITIAL);
    assertThat(store.compareAndSet(Ownership.INITIAL, Ownership.INITIAL.begun(1))).isTrue();
  }

  @Test
  void aRecordOfWhichAnyBitIsWrongIsNotActedOn() throws IOException {
    FileOwnershipStore store = store();
    byte[] record = Files.readAllBytes(file());
    for (int bit = 0; bit < record.length * 8; bit++) {
      byte[] damaged = record.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file(), damaged);
      assertThatExceptionOfType(IOException.class).as("bit " + bit).isThrownBy(() -> store.compareAndSet(Ownership.INITIAL, Ownership.INITIAL.begun(1))).withMessageContaining("damaged");
    }
    Files.write(file(), new byte[3]);
    assertThatExceptionOfType(IOException.class).isThrownBy(store::read).withMessageContaining("restore the file");
  }

  @Test
  void aChangeWhoseNameIsNotDurableIsNotReadBeforeItIs() throws IOException {
    store();
    boolean[] full = {true};
    FileOwnershipStore store =
        new FileOwnershipStore(
            file(),
            file -> {
              if (full[0]) {
                throw new IOException("no space");
              }
            });
    Ownership begun = Ownership.INITIAL.begun(9);
    assertThatExceptionOfType(IOException.class).isThrownBy(() -> store.compareAndSet(Ownership.INITIAL, begun));
    assertThatExceptionOfType(IOException.class).as("a crash may bring the former record back").isThrownBy(store::read);
    assertThatExceptionOfType(IOException.class).isThrownBy(() -> store.compareAndSet(Ownership.INITIAL, begun));
    full[0] = false;
    assertThat(store.read()).isEqualTo(begun);
    assertThat(store.compareAndSet(Ownership.INITIAL, begun)).isFalse();
  }

  @Test
  void whoeverElseOfThisProcessHasTheLockIsWaitedFor() throws Exception {
    FileOwnershipStore store = store();
    FutureTask<Boolean> change = new FutureTask<>(() -> store.compareAndSet(Ownership.INITIAL, Ownership.INITIAL.begun(3)));
    Thread other = new Thread(change);
    try (FileChannel lock = FileChannel.open(work.resolve("ownership.lock"), StandardOpenOption.WRITE)) {
      lock.lock();
      other.start();
      while (other.isAlive() && other.getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait();
      }
      assertThat(store.read()).isEqualTo(Ownership.INITIAL);
    }
    assertThat(change.get()).isTrue();
    assertThat(store.read()).isEqualTo(Ownership.INITIAL.begun(3));
  }

  /** Where a process has a file open twice, closing either lets go of the lock on it. */
  @Test
  void whoeverOfThisProcessGivesUpWaitingLeavesTheLockToWhoHoldsIt() throws Exception {
    store();
    FileOwnershipStore waiting = new FileOwnershipStore(file());
    FutureTask<Boolean> change = new FutureTask<>(() -> waiting.compareAndSet(Ownership.INITIAL, Ownership.INITIAL.begun(4)));
    Thread other = new Thread(change);
    FileOwnershipStore holding =
        new FileOwnershipStore(
            file(),
            file -> {
              assumeTrue(isLocked(work.resolve("ownership.lock")), "the system lists locks of this file system");
              other.start();
              while (other.getState() != Thread.State.TIMED_WAITING && other.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
              }
              other.interrupt();
              assertThatExceptionOfType(ExecutionException.class).isThrownBy(change::get).withCauseInstanceOf(InterruptedIOException.class);
              assertThat(isLocked(work.resolve("ownership.lock"))).as("locked against other processes").isTrue();
            });
    assertThat(holding.compareAndSet(Ownership.INITIAL, Ownership.INITIAL.begun(3))).isTrue();
    assertThat(isLocked(work.resolve("ownership.lock"))).isFalse();
    assertThat(holding.read()).isEqualTo(Ownership.INITIAL.begun(3));
  }

  /** The system's own list: a look at the file would let go of the lock itself. */
  private static boolean isLocked(Path file) throws IOException {
    String inode = ":" + Files.getAttribute(file, "unix:ino") + " ";
    return Files.readString(Path.of("/proc/locks")).contains(inode);
  }
}
