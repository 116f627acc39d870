package io.twostep.examples.rpc;

import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.examples.fabric.RdmaHost;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Call a procedure on another modelled host: pages go by read chunks, come back by write chunks, and the whole answer comes by a reply chunk. */
public final class RpcOverRdma {
  private static final int SHORT = 100_000;

  private RpcOverRdma() {}

  /**
   * Have a file turned into capitals by the other host, and print how its bytes travelled.
   *
   * @param arguments a file of 1 byte to 1 MiB; without one, some text
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length > 1) {
      throw new IllegalArgumentException("give one file, or none for some text");
    }
    byte[] text = arguments.length == 0 ? "remote procedure call\n".repeat(15_000).getBytes(StandardCharsets.UTF_8) : Files.readAllBytes(Path.of(arguments[0]));
    if (text.length == 0 || text.length > XdrBuffer.MOST_PAGES) {
      throw new IllegalArgumentException("%s has %,d bytes; texts of 1 byte to 1 MiB can be sent".formatted(arguments[0], text.length));
    }
    run(text).forEach(System.out::println);
  }

  /**
   * Make two calls, one with the whole text and a short one, and return what the server transferred, a line each.
   *
   * @throws IllegalStateException if an answer is not right
   */
  static List<String> run(byte[] text) {
    Wire wire = new Wire(WireFaults.NONE, 1);
    try (RdmaHost near = RdmaHost.simple(wire, 0);
        RdmaHost far = RdmaHost.simple(wire, 1)) {
      near.connect(far);
      far.connect(near);
      try (RpcClient client = new RpcClient(near);
          RpcServer server = new RpcServer(far, new Capitals())) {
        check(text, client.call("a text", text, RpcClient.Reply.WRITE_CHUNK, server::serve));
        byte[] start = Arrays.copyOf(text, Math.min(SHORT, text.length));
        check(start, client.call("its start", start, RpcClient.Reply.REPLY_CHUNK, server::serve));
        return server.log();
      }
    }
  }

  private static void check(byte[] text, Capitals.Text answer) {
    byte[] expected = text.clone();
    for (int i = 0; i < expected.length; i++) {
      expected[i] = Capitals.capital(expected[i]);
    }
    if (!answer.isIntact() || !Arrays.equals(answer.pages(), expected)) {
      throw new IllegalStateException("'" + answer.name() + "' came back wrong");
    }
  }
}
