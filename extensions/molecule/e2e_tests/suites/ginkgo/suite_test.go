// Package ginkgo has specs that pass, fail and are skipped, against go-httpbin behind a port-forward.
package ginkgo

import (
	"net/http"
	"os"
	"os/exec"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestGinkgo(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Suite")
}

var _ = BeforeSuite(func() { Expect(os.Getenv("E2E_COVERAGE")).To(Equal("true")) })

func status(address string) int {
	GinkgoHelper()
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(address)
	Expect(err).NotTo(HaveOccurred())
	Expect(answer.Body.Close()).To(Succeed())
	return answer.StatusCode
}

var _ = Describe("The service", Ordered, func() {
	It("answers", func() {
		Expect(status(os.Getenv("E2E_BASE_URL") + "/status/204")).To(Equal(204))
	})
	It("answers under a path", func() { Expect(status(os.Getenv("E2E_STATUS_URL"))).To(Equal(418)) })
	It("is left out", func() { Skip("on purpose") })
	It("answers at the same address once its pod was replaced", func() {
		pods := exec.Command("podman", "exec", os.Getenv("NODE"), "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf",
			"--namespace", os.Getenv("E2E_NAMESPACE"), "delete", "pods", "--all")
		said, err := pods.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(said))
		Eventually(func() error {
			_, err := http.Get(os.Getenv("E2E_BASE_URL") + "/status/204")
			return err
		}, "30s").Should(Succeed())
	})
	It("is not a teapot", func() { Expect(status(os.Getenv("E2E_STATUS_URL"))).NotTo(Equal(418)) })
	if os.Getenv("E2E_NEVER_ENDS") != "" {
		It("never ends", func() { select {} })
	}
})
