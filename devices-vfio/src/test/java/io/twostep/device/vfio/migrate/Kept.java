package io.twostep.device.vfio.migrate;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** What outlives both machines of a migration: the record, the source's checkpoint, the destination's spool. */
interface Kept {
  /** Return the record. */
  OwnershipStore store();

  /** Return where the source begins to keep its guest. */
  Checkpoint newCheckpoint();

  /** Return where the destination begins to keep what it receives. */
  Spool newSpool();

  /** Open the checkpoint as a crash left it; null if there is none. */
  @Nullable ReadableByteChannel checkpoint();

  /** Open the spool as a crash left it. */
  @Nullable ReadableByteChannel spool();

  /** Real files, which outlive a process. */
  final class InFiles implements Kept, AutoCloseable {
    private final Path folder;
    private final FileOwnershipStore store;
    private @Nullable FileCheckpoint checkpoint;
    private @Nullable FileSpool spool;
    private @Nullable ReadableByteChannel read;

    InFiles(Path folder) throws IOException {
      this.folder = Files.createDirectories(folder);
      store = new FileOwnershipStore(folder.resolve("ownership"));
      store.create();
    }

    @Override
    public OwnershipStore store() {
      return store;
    }

    @Override
    public Checkpoint newCheckpoint() {
      try {
        close();
        return checkpoint = new FileCheckpoint(folder.resolve("checkpoint"));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public Spool newSpool() {
      try {
        return spool = new FileSpool(folder.resolve("spool"));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public @Nullable ReadableByteChannel checkpoint() {
      try {
        return read = FileCheckpoint.open(folder.resolve("checkpoint"));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public @Nullable ReadableByteChannel spool() {
      Path file = folder.resolve("spool");
      if (!Files.exists(file)) {
        // Killed before it began one.
        return null;
      }
      try {
        return read = FileSpool.open(file);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void close() throws IOException {
      if (checkpoint != null) {
        checkpoint.close();
      }
      if (spool != null) {
        spool.close();
      }
      if (read != null) {
        read.close();
      }
    }
  }

  /** Memory that loses with a machine whatever was not forced. */
  final class InMemory implements Kept {
    private final MemoryStore store = new MemoryStore();
    private byte @Nullable [] published;
    private byte[] forced = {};

    @Override
    public OwnershipStore store() {
      return store;
    }

    @Override
    public Checkpoint newCheckpoint() {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      return new Checkpoint() {
        @Override
        public void append(ByteBuffer slice) {
          copy(slice, bytes);
        }

        @Override
        public void force() {}

        @Override
        public void publish() {
          published = bytes.toByteArray();
        }
      };
    }

    @Override
    public Spool newSpool() {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      forced = new byte[0];
      return new Spool() {
        @Override
        public void append(ByteBuffer slice) {
          copy(slice, bytes);
        }

        @Override
        public void force() {
          forced = bytes.toByteArray();
        }
      };
    }

    private static void copy(ByteBuffer slice, ByteArrayOutputStream to) {
      byte[] copy = new byte[slice.remaining()];
      slice.duplicate().get(copy);
      to.writeBytes(copy);
    }

    @Override
    public @Nullable ReadableByteChannel checkpoint() {
      byte[] bytes = published;
      return bytes == null ? null : Channels.newChannel(new ByteArrayInputStream(bytes));
    }

    @Override
    public ReadableByteChannel spool() {
      return Channels.newChannel(new ByteArrayInputStream(Arrays.copyOf(forced, forced.length)));
    }
  }
}
