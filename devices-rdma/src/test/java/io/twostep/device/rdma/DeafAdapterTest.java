package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that cannot be cut off the bus: what they may still reach is kept, and everything else is given back. */
class DeafAdapterTest {
  /** A machine with an adapter, whose slot can be made to refuse to stop it. */
  private static final class Rig implements AutoCloseable {
    final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M")));
    final DeviceSlot real;
    final DmaMapper mapper;
    private boolean deaf;

    Rig(boolean translated) {
      SlotOptions options = translated ? SlotOptions.DEFAULT : SlotOptions.DEFAULT.withTranslation(AddressSpace.Translation.NONE);
      real = machine.plug(new DeviceAddress("0000:01:00.0"), new HcaModel(new Wire(WireFaults.NONE, Seeds.SEED).end(0)), options);
      DmaStack stack = DmaStack.of(translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend());
      mapper = stack.attach(machine, real, DeviceLimits.UNLIMITED);
    }

    /** Return what opens a driver, on a slot that neither cuts the adapter off nor resets it once it is deaf. */
    DriverContext context() {
      DeviceSlot slot =
          (DeviceSlot)
              Proxy.newProxyInstance(
                  DeviceSlot.class.getClassLoader(),
                  new Class<?>[] {DeviceSlot.class},
                  (proxy, method, arguments) -> {
                    if (deaf && (method.getName().equals("reset") || (method.getName().equals("busMaster") && !(boolean) arguments[0]))) {
                      throw new DmaMappingException(Reason.DETACHED, real.address() + ": does not answer");
                    }
                    try {
                      return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                      throw e.getCause();
                    }
                  });
      return new DriverContext() {
        @Override
        public DeviceSlot slot() {
          return slot;
        }

        @Override
        public Machine machine() {
          return machine;
        }

        @Override
        public Settings settings() {
          throw new UnsupportedOperationException("the adapter is opened with a record of its own");
        }

        @Override
        public DmaMapper attach(DeviceLimits limits) {
          return mapper;
        }
      };
    }

    @Override
    public void close() {
      machine.close();
    }
  }

  @Test
  void adapterBehindAnIommuLeavesNothingOpenThoughItCannotBeStopped() {
    try (Rig rig = new Rig(true)) {
      Hca hca = Hca.open(rig.context(), HcaConfig.DEFAULT);
      rig.deaf = true;
      assertThatExceptionOfType(DmaMappingException.class).isThrownBy(hca::close).satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED));
      assertThat(rig.mapper.liveMappings()).isZero();
      hca.close();
    }
  }

  @Test
  void adapterThatMayStillReachMemoryKeepsIt() {
    try (Rig rig = new Rig(false)) {
      Hca hca = Hca.open(rig.context(), HcaConfig.DEFAULT);
      long mappings = rig.mapper.liveMappings();
      rig.deaf = true;
      assertThatExceptionOfType(DmaMappingException.class)
          .isThrownBy(hca::close)
          .satisfies(e -> assertThat(e.getSuppressed()).singleElement().isInstanceOf(DmaMappingException.class).extracting("reason").isEqualTo(Reason.QUARANTINED));
      assertThat(rig.mapper.liveMappings()).isEqualTo(mappings).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void adapterThatCannotBeOpenedIsReportedForWhatFailedAndNotForWhatCameOfIt(boolean deaf) {
    boolean fired = true;
    for (int n = 1; fired; n++) {
      try (Rig rig = new Rig(true)) {
        rig.deaf = deaf;
        rig.machine.failNth().arm(FailNth.Kind.ALLOCATE, n);
        try {
          Hca.open(rig.context(), HcaConfig.DEFAULT);
          fired = rig.machine.failNth().fired();
        } catch (DmaMappingException e) {
          assertThat(e.reason()).as("allocation " + n).isEqualTo(Reason.NOT_BACKED);
          assertThat(rig.mapper.liveMappings()).as("allocation " + n).isZero();
        }
      }
    }
  }
}
