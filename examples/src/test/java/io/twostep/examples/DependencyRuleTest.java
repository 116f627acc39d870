package io.twostep.examples;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.rdma.Hca;
import io.twostep.device.vfio.MigratableDevice;
import io.twostep.dma.DmaMapper;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.model.ModelMachine;
import io.twostep.platform.Platform;
import java.net.URL;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The rule that keeps modules apart: everything depends on the API, and only examples and tests compose. */
class DependencyRuleTest {
  private static final String[] PARTS = {"io.twostep.backend..", "io.twostep.machine..", "io.twostep.device.."};

  private static JavaClasses classes;

  @BeforeAll
  static void read() {
    List<URL> places =
        Stream.of(
                DmaMapper.class, Platform.class, LinuxMachine.class, ModelMachine.class, DirectBackend.class, IommuBackend.class, P2pBackend.class, SwiotlbBackend.class, DebugBackend.class,
                NvmeController.class, Hca.class, MigratableDevice.class, Twostep.class)
            .map(member -> member.getProtectionDomain().getCodeSource().getLocation())
            .toList();
    classes = new ClassFileImporter().importUrls(places);
  }

  @Test
  void everyModuleIsLookedAt() {
    assertThat(classes.stream().map(JavaClass::getPackageName))
        .contains(
            "io.twostep.dma",
            "io.twostep.dma.spi",
            "io.twostep.platform",
            "io.twostep.machine.linux",
            "io.twostep.machine.model",
            "io.twostep.backend.direct",
            "io.twostep.backend.iommu",
            "io.twostep.backend.swiotlb",
            "io.twostep.backend.p2p",
            "io.twostep.backend.debug",
            "io.twostep.device.nvme",
            "io.twostep.device.nvme.model",
            "io.twostep.device.vfio",
            "io.twostep.device.vfio.buffer",
            "io.twostep.device.vfio.dirty",
            "io.twostep.device.vfio.guest",
            "io.twostep.device.vfio.migrate",
            "io.twostep.device.vfio.model",
            "io.twostep.device.vfio.state",
            "io.twostep.device.vfio.stream",
            "io.twostep.device.rdma",
            "io.twostep.device.rdma.mirror",
            "io.twostep.device.rdma.model",
            "io.twostep.device.rdma.umem",
            "io.twostep.examples.cli");
  }

  @Test
  void noBackendMachineOrDeviceDependsOnAnother() {
    slices()
        .matching("io.twostep.(backend|machine|device).(*)..")
        .namingSlices("$1 $2")
        .should()
        .notDependOnEachOther()
        .check(classes);
  }

  @Test
  void partsDependOnTheApiAndOnNothingElseOfOurs() {
    noClasses()
        .that()
        .resideInAnyPackage(PARTS)
        .and()
        .haveSimpleNameNotEndingWith("GuicePlugin")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.twostep.platform..", "io.twostep.examples..")
        .check(classes);
  }

  @Test
  void theApiDependsOnNoOtherModuleOfOurs() {
    noClasses()
        .that()
        .resideInAPackage("io.twostep.dma..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.twostep.platform..", "io.twostep.backend..", "io.twostep.machine..", "io.twostep.device..", "io.twostep.examples..")
        .check(classes);
  }

  @Test
  void theApiDependsOnTheJdkLoggingAndNullnessMarksOnly() {
    classes()
        .that()
        .resideInAPackage("io.twostep.dma..")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("io.twostep.dma..", "java..", "org.slf4j..", "org.jspecify.annotations..")
        .check(classes);
  }

  @Test
  void guiceIsUsedByThePlatformGuicePluginsAndExamplesOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackages("io.twostep.platform..", "io.twostep.examples..")
        .and()
        .haveSimpleNameNotEndingWith("GuicePlugin")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("com.google.inject..", "jakarta.inject..")
        .check(classes);
  }

  @Test
  void nothingButExamplesDependsOnExamples() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.twostep.examples..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.twostep.examples..")
        .check(classes);
  }
}
