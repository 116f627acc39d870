package io.twostep.examples.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.examples.fabric.RdmaHost;
import io.twostep.examples.rpc.RpcClient.Reply;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Calls whose pages travel in chunks. */
class RpcOverRdmaTest {
  private static final WireFaults BAD = new WireFaults(0.02, 0.02, 0.04, 0.005, 0.005);

  private final Wire wire = new Wire(BAD, 7);
  private final RdmaHost near = RdmaHost.simple(wire, 0);
  private final RdmaHost far = RdmaHost.simple(wire, 1);

  {
    near.connect(far);
    far.connect(near);
  }

  @AfterEach
  void nothingStaysMapped() {
    near.close();
    far.close();
    assertThat(near.hca().mapper().liveMappings() + far.hca().mapper().liveMappings()).isZero();
  }

  private static byte[] text(int bytes) {
    return "pages of a call, and then more of them. ".repeat(bytes / 40 + 1).substring(0, bytes).getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] capitals(byte[] text) {
    return new String(text, StandardCharsets.US_ASCII).toUpperCase(Locale.ROOT).getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void callsAndAnswersOfAllSizesAreWhole() {
    try (RpcClient client = new RpcClient(near);
        RpcServer server = new RpcServer(far, new Capitals())) {
      for (int bytes : new int[] {1, 511, 4096, 4097, 100_000, 256 << 10, (256 << 10) + 1, 700_000}) {
        for (Reply reply : Reply.values()) {
          if (reply == Reply.WRITE_CHUNK || bytes < 200_000) {
            Capitals.Text answer = client.call("call", text(bytes), reply, server::serve);
            assertThat(answer.pages()).as("%d bytes, %s", bytes, reply).isEqualTo(capitals(text(bytes)));
            assertThat(answer.name()).isEqualTo("call, in capitals");
            assertThat(answer.isIntact()).isTrue();
          }
        }
      }
    }
  }

  @Test
  void pagesGoThroughOneWindowAndHeadAndTailAsTheyAre() {
    List<String> log = RpcOverRdma.run(text(300_000));
    assertThat(log).hasSize(8).allMatch(line -> line.contains("work requests: 1 "));
    assertThat(log).filteredOn(line -> line.contains("pages")).hasSize(6).allMatch(line -> line.contains("IOVA"));
    assertThat(log).filteredOn(line -> line.contains("head") || line.contains("tail")).hasSize(2).allMatch(line -> line.contains("SINGLE_WR"));
  }

  @Test
  void resultThatDoesNotFitTheClientsChunksIsStoredNowhere() {
    RpcServer.Program twice =
        (call, result) -> {
          result.reset(0, 0, 2 * (int) call.pages().byteSize(), 0);
          result.pages().fill((byte) 1);
        };
    try (RpcClient client = new RpcClient(near);
        RpcServer server = new RpcServer(far, twice)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> client.call("call", text(5000), Reply.WRITE_CHUNK, server::serve))
          .withMessageContaining("10,000 bytes for chunks of 5,000");
    }
  }

  @Test
  void resultShorterThanTheWriteChunkIsAsLongAsTheServerMadeIt() {
    int bytes = (256 << 10) + 3;
    RpcServer.Program first =
        (call, result) -> {
          byte[] head = Capitals.head("the first three");
          result.reset(head.length, 0, 3, Integer.BYTES);
          result.pages().fill((byte) 'x');
          XdrBuffer.put(head, result.head());
          XdrBuffer.put(Capitals.tail(result.pages()), result.tail());
        };
    try (RpcClient client = new RpcClient(near);
        RpcServer server = new RpcServer(far, first)) {
      Capitals.Text answer = client.call("call", text(bytes), Reply.WRITE_CHUNK, server::serve);
      assertThat(answer.pages()).isEqualTo(new byte[] {'x', 'x', 'x'});
      assertThat(answer.isIntact()).isTrue();
    }
  }

  @Test
  void chunkThatTheClientDoesNotPermitFailsTheCallAndGivesTheServersMemoryBack() {
    try (RpcServer server = new RpcServer(far, new Capitals())) {
      long mapped = far.hca().mapper().liveMappings();
      ByteBuffer out = near.outgoing();
      new TransportHeader(1, true, 0, List.of(new Chunk(0x1234_5600, 5000, 0)), List.of(), null).write(out);
      near.send(1, out.position());
      assertThatIllegalStateException().isThrownBy(server::serve).withMessageContaining("REMOTE_ACCESS");
      assertThat((long) far.hca().mapper().liveMappings()).isEqualTo(mapped);
    }
  }

  @Test
  void callsThatMakeNoSenseAreRefused() {
    try (RpcServer server = new RpcServer(far, new Capitals())) {
      send(1, 2, 1, 0);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("version 2");
      send(1, 1, 1, 0, 1, 0, 5, -1, 0, 0);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("4294967295 bytes");
      send(1, 1, 1, 0, 0, 1, 70_000);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("70000 segments");
      send(1, 1);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("ends inside");
      send(1, 1, 1, 0, 1, 0, 5, 8, 0, 0, 1, 4, 5, 8, 0, 0, 0, 0, 0);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("several read chunks");
      send(1, 1, 1, 0, 1, -4, 5, 8, 0, 0, 0, 0, 0);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("position 4294967292");
      send(1, 1, 1, 0, 1, 0, 5, XdrBuffer.MOST_PAGES + 1, 0, 0, 0, 0, 0);
      assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("pages up to");
    }
  }

  @Test
  void moreRefusedCallsThanThereAreReceivesKeepNobodyFromCalling() {
    try (RpcClient client = new RpcClient(near);
        RpcServer server = new RpcServer(far, new Capitals())) {
      for (int i = 0; i < 2 * far.pair().depth(); i++) {
        send(1, 2, 1, 0);
        assertThatIllegalArgumentException().isThrownBy(server::serve).withMessageContaining("version 2");
      }
      assertThat(client.call("call", text(10), Reply.WRITE_CHUNK, server::serve).isIntact()).isTrue();
    }
  }

  private void send(int... words) {
    ByteBuffer out = near.outgoing();
    for (int word : words) {
      out.putInt(word);
    }
    near.send(9, out.position());
  }

  @Test
  void headerIsReadAsItWasWritten() {
    TransportHeader header =
        new TransportHeader(0xabcd, true, 12, List.of(new Chunk(1, 2, 3), new Chunk(4, 5, 6)), List.of(new Chunk(7, 8, -9)), new Chunk(10, 11, 12));
    ByteBuffer bytes = ByteBuffer.allocate(500);
    header.write(bytes);
    assertThat(TransportHeader.read(bytes.flip())).isEqualTo(header);
    assertThat(bytes.hasRemaining()).isFalse();
  }

  @Test
  void bufferIsOneStream() {
    try (XdrBuffer buffer = new XdrBuffer(near.machine().memory())) {
      buffer.reset(3, 4095, 5000, 2);
      buffer.head().fill((byte) 1);
      buffer.pages().fill((byte) 2);
      buffer.tail().fill((byte) 3);
      byte[] stream = buffer.toBytes();
      assertThat(stream).hasSize(5005).startsWith(1, 1, 1, 2).endsWith(2, 3, 3);
      assertThat(buffer.pages().get(ValueLayout.JAVA_BYTE, 4999)).isEqualTo((byte) 2);
      assertThatIllegalArgumentException().isThrownBy(() -> buffer.reset(0, 4096, 1, 0));
    }
  }
}
