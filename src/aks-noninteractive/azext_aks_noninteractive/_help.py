"""The help texts."""

from knack.help_files import helps

helps["aks get-credentials-noninteractive"] = """
type: command
short-summary: Get a working kubeconfig for an Entra-integrated cluster, with no person in the loop.
long-summary: >-
    Signs in, gets the cluster's kubeconfig from Azure Resource Manager, fills in a token for the
    API server and merges it into the kubeconfig. Azure Resource Manager is asked with the az
    login, if there is one that knows the subscription, else with the identity that is given.


    Secrets: az prints its raw command line with --debug, before any extension runs. Pass secrets
    by variable (AZURE_PASSWORD), as @FILE, or at the prompt.
examples:
  - name: As a user that Entra manages, without an az login.
    text: |
        export AZURE_PASSWORD=...
        az aks get-credentials-noninteractive -g MyGroup -n MyCluster \\
            --subscription 00000000-0000-0000-0000-000000000000 --username mia@contoso.example
  - name: As a user that is federated with AD FS, the password in a file.
    text: |
        az aks get-credentials-noninteractive -g MyGroup -n MyCluster \\
            --username fay@fed.example --password @/run/secrets/fay
  - name: >-
        In the script of an Azure DevOps AzureCLI@2 task: the service connection for Azure Resource
        Manager, a user (AZURE_USERNAME and AZURE_PASSWORD in the task's env) for the cluster.
    text: |
        az aks get-credentials-noninteractive -g MyGroup -n MyCluster --login password
        kubectl get pods
  - name: In the same script, the service connection for both.
    text: az aks get-credentials-noninteractive -g MyGroup -n MyCluster --login azurecli
  - name: Two identities on one cluster side by side.
    text: |
        az aks get-credentials-noninteractive -g MyGroup -n MyCluster --context dev -u dev@a.example
        az aks get-credentials-noninteractive -g MyGroup -n MyCluster --context ops -u ops@a.example
  - name: Where Conditional Access guards Resource Manager, with a kubeconfig fetched by others.
    text: |
        az aks get-credentials-noninteractive --skeleton cluster.yaml --username mia@contoso.example
"""

helps["aks logout-noninteractive"] = """
type: command
short-summary: Forget the tokens that get-credentials-noninteractive has stored.
examples:
  - name: Forget the token of the current context.
    text: az aks logout-noninteractive
  - name: Forget the token of one context.
    text: az aks logout-noninteractive --context ops
  - name: Forget all stored tokens.
    text: az aks logout-noninteractive --all
"""
