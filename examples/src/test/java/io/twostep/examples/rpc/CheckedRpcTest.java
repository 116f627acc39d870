package io.twostep.examples.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.debug.OnError;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.examples.fabric.RdmaHost;
import io.twostep.examples.rpc.RpcClient.Reply;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The checker above the adapters of both ends has nothing to say of the RDMA driver, its model or the stack, whatever the wire does. */
class CheckedRpcTest {
  @ParameterizedTest
  @EnumSource
  void callsAreSilent(Reply reply) {
    DebugBackend checker = new DebugBackend(DebugConfig.defaults().withOnError(OnError.COUNT));
    Wire wire = new Wire(new WireFaults(0.02, 0.02, 0.04, 0.005, 0.005), 7);
    RdmaHost near = RdmaHost.simple(wire, 0, checker);
    RdmaHost far = RdmaHost.simple(wire, 1, checker);
    near.connect(far);
    far.connect(near);
    byte[] pages = "pages of a call, ".repeat(6000).getBytes(StandardCharsets.US_ASCII);
    try (RpcClient client = new RpcClient(near);
        RpcServer server = new RpcServer(far, new Capitals())) {
      for (int call = 0; call < 10; call++) {
        assertThat(client.call("call", pages, reply, server::serve).isIntact()).isTrue();
      }
    }
    near.close();
    far.close();
    checker.close();
    assertThat(checker.statistics().followed()).as("mappings of both adapters").isGreaterThan(20);
    assertThat(checker.reports(Integer.MAX_VALUE)).isEmpty();
    assertThat(checker.statistics().reports()).isZero();
  }
}
