package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole migrations over channels of the platform, which take and give any part of what they are asked for. */
class ChannelsTest {
  private static final MigrationConfig CONFIG = new MigrationConfig(4000, 5, 16384, WriteTracking.AUTO, false);
  private static final int WHOLE = 1 << 20;

  /** Two one-way ends as one channel, of which a call moves at most some bytes, and sometimes none. */
  private record Ends(ReadableByteChannel in, WritableByteChannel out, int most, SplittableRandom random) implements ByteChannel {
    @Override
    public int read(ByteBuffer target) throws IOException {
      int limit = target.limit();
      target.limit(target.position() + Math.min(target.remaining(), random.nextInt(most + 1)));
      try {
        return target.hasRemaining() ? in.read(target) : 0;
      } finally {
        target.limit(limit);
      }
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      int limit = source.limit();
      source.limit(source.position() + Math.min(source.remaining(), random.nextInt(most + 1)));
      try {
        return out.write(source);
      } finally {
        source.limit(limit);
      }
    }

    @Override
    public boolean isOpen() {
      return in.isOpen() && out.isOpen();
    }

    @Override
    public void close() throws IOException {
      in.close();
      out.close();
    }
  }

  private static void migrate(ByteChannel near, ByteChannel far) throws IOException {
    try (Migration migration = new Migration(Seeds.SEED, 128 << 10, 1, ModelConfig.DEFAULT.withPagesPerTurn(2), CONFIG)) {
      migration.source.cancel();
      migration.startAgain(2, near, far);
      while (migration.target.phase() != Phase.PREPARED) {
        migration.step();
      }
      assertThat(migration.far.guest.segment().mismatch(migration.near.guest.segment())).as("first byte of memory that differs, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
      while (!(migration.source.phase().isEnd() && migration.target.phase().isEnd())) {
        migration.step();
      }
      assertThat(migration.source.phase()).isEqualTo(Phase.DONE);
      assertThat(migration.target.isAnswered()).isTrue();
      migration.drainAndVerify();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1500, WHOLE})
  void guestsArriveThroughPipesOfTheProcess(int most) throws IOException {
    Pipe forth = Pipe.open();
    Pipe back = Pipe.open();
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    forth.sink().configureBlocking(false);
    forth.source().configureBlocking(false);
    back.sink().configureBlocking(false);
    back.source().configureBlocking(false);
    try (Ends near = new Ends(back.source(), forth.sink(), most, random.split());
        Ends far = new Ends(forth.source(), back.sink(), Math.max(most, 1000), random.split())) {
      migrate(near, far);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1500, WHOLE})
  void guestsArriveOverTcp(int most) throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (ServerSocketChannel server = ServerSocketChannel.open().setOption(StandardSocketOptions.SO_RCVBUF, 4096).bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        SocketChannel source = SocketChannel.open().setOption(StandardSocketOptions.SO_SNDBUF, 4096);
        SocketChannel target = connected(source, server)) {
      source.configureBlocking(false);
      target.configureBlocking(false);
      migrate(new Ends(source, source, most, random.split()), new Ends(target, target, Math.max(most, 1000), random.split()));
    }
  }

  private static SocketChannel connected(SocketChannel source, ServerSocketChannel server) throws IOException {
    source.connect(server.getLocalAddress());
    return server.accept();
  }

  @Test
  void aChannelThatWaitsForAnswersIsRefusedAtOnce() throws IOException {
    try (Migration migration = new Migration(Seeds.SEED, 256 << 10, 1, ModelConfig.DEFAULT, CONFIG);
        ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        SocketChannel source = SocketChannel.open(server.getLocalAddress())) {
      migration.source.cancel();
      Ownership before = migration.store.read();
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> migration.newSource(2, source))
          .withMessageContaining("call configureBlocking(false)")
          .extracting(MigrationException::kind)
          .isEqualTo(Kind.REFUSED);
      assertThat(migration.store.read()).isEqualTo(before);
      migration.drainAndVerify();
    }
  }
}
